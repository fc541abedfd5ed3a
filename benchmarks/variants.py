"""Lists of a shop of 40 products in 30 sizes: what counting products in place of variants changes.

Shoppers stay within one of eight ranges of five products, mostly look at their own size, and a quarter of all variants
is sold out. The lists are those of ``home_for_you`` with eight items; what is asked for is the next product.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.report import print_table
from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.model import ModelLink
from recommendations.training.data.building import log_from_sessions
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

PRODUCTS: Final = 40
SIZES: Final = 30
RANGE: Final = 5
LISTED: Final = 8
SOLD_OUT: Final = 0.25
OWN_SIZE: Final = 0.8
NOW_MS: Final = 1_800_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """A visit: variants looked at, oldest first, the size that fits, and the product that is looked at next."""

    seen: tuple[str, ...]
    size: int
    next_product: int


def run(*, quick: bool) -> dict[str, float]:
    """Train on variants and on products, list for the same shoppers, and return the figures of both."""
    rng = np.random.default_rng(7)
    n_sessions, n_shoppers = (3_000, 300) if quick else (20_000, 2_000)
    sessions = [list(_shopper(rng).seen) for _ in range(n_sessions)]
    shoppers = [_shopper(rng) for _ in range(n_shoppers)]
    catalogue = _catalogue(rng)
    product_of = {_item_id(p, s): f"product-{p}" for p in range(PRODUCTS) for s in range(SIZES)}
    figures: dict[str, float] = {}
    rows = []
    for unit, names in (("variants", {}), ("products", product_of)):
        found = _measured(sessions, shoppers, catalogue, names)
        figures |= {f"{unit}_{name}": value for name, value in found.items()}
        rows.append([unit, *found.values()])
    print_table(
        f"{PRODUCTS} products in {SIZES} sizes: lists of {LISTED} for {n_shoppers:,} shoppers",
        ["counted by", "full lists", "products a list", "next listed", "next in first 3", "in own size", "CPU ms"],
        rows,
        caption=f"trained on {n_sessions:,} sessions; one thread, seed 7",
    )
    return figures


def _item_id(product: int, size: int) -> str:
    return f"product-{product}-size-{size}"


def _shopper(rng: np.random.Generator) -> Shopper:
    """Return one that walks on within a range: from a product mostly to the next, sometimes to another one."""
    first = int(rng.integers(PRODUCTS // RANGE)) * RANGE
    size = int(np.clip(rng.normal(SIZES / 2, 5), 0, SIZES - 1))
    at = int(rng.integers(RANGE))
    walked = []
    for _ in range(4):
        walked.append(first + at)
        at = (at + (1 if rng.random() < 0.7 else int(rng.integers(1, RANGE)))) % RANGE
    sizes = [size if rng.random() < OWN_SIZE else int(rng.integers(SIZES)) for _ in walked]
    seen = tuple(_item_id(product, worn) for product, worn in zip(walked[:3], sizes, strict=False))
    return Shopper(seen=seen, size=size, next_product=walked[3])


def _catalogue(rng: np.random.Generator) -> CatalogueSnapshot:
    rows = [
        ItemRow(
            pk=product * SIZES + size, item_id=_item_id(product, size), title="", titles={}, brand="",
            category=f"Range {product // RANGE}", url="", image_url="", price_minor=None, sale_price_minor=None,
            cost_minor=None, currency="", availability="in_stock",
            stock=int(rng.random() >= SOLD_OUT), group_id=f"product-{product}", tags=(),
            attributes={"size": str(size)}, is_active=True, first_seen_us=1_000_000, updated_us=1_000_000,
        )
        for product in range(PRODUCTS)
        for size in range(SIZES)
    ]  # fmt: skip
    return with_changes(CatalogueSnapshot.empty("variants"), rows)


def _measured(
    sessions: list[list[str]], shoppers: list[Shopper], catalogue: CatalogueSnapshot, product_of: Mapping[str, str]
) -> dict[str, float]:
    log = log_from_sessions(sessions).renamed(product_of)
    settings = TrainingSettings(
        held_out=0.0, factors=32, als_iterations=5, trees=60, tuning_queries=1_000, max_queries=6_000, num_threads=1
    )
    fitted = train_model_set(log, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        export_model_set(fitted, Path(folder) / "version", targets=frozenset({Target.CPU}))
        link = ModelLink(ModelSet.load(Path(folder) / "version", providers="cpu"), ItemIndex(catalogue), version="v1")
        on = ItemIndex(catalogue, popularity=link.popularity_of_rows(), now_ms=NOW_MS)
        on.warm()
        return _lists(on, link, shoppers)


def _lists(on: ItemIndex, link: ModelLink, shoppers: list[Shopper]) -> dict[str, float]:
    context = ServingContext(item_index=on, model=link, now_ms=NOW_MS)
    query = ListQuery(placement=PlacementSpec(name="home_for_you"), limit=LISTED)
    full = products = hits = first = fitting = could_fit = 0
    started = time.process_time()
    for shopper in shoppers:
        newest_first = tuple(reversed(shopper.seen))
        user = RequestUser(key="a:1", recents=tuple(dict.fromkeys(newest_first)), session=newest_first)
        rows = recommend(query, user, context, deadline=Deadline.after(60_000.0)).rows
        listed = [divmod(row, SIZES) for row in rows]
        full += len(listed) == LISTED
        products += len({product for product, _ in listed})
        hits += shopper.next_product in {product for product, _ in listed}
        first += shopper.next_product in {product for product, _ in listed[:3]}
        own = [(product, size) for product, size in listed if _item_id(product, size) not in shopper.seen]
        can = [pair for pair in own if on.catalogue.recommendable(_item_id(pair[0], shopper.size))]
        could_fit += len(can)
        fitting += sum(size == shopper.size for _, size in can)
    took_s = time.process_time() - started
    n = len(shoppers)
    return {
        "full_lists": full / n,
        "products_a_list": products / n,
        "next_product_listed": hits / n,
        "next_product_in_first_3": first / n,
        "own_size": fitting / max(could_fit, 1),
        "cpu_ms": took_s / n * 1000,
    }
