"""Items that no model has seen: how often lists name the one that comes next, by what is known of its text.

Two shops, each cut at a day. What is before trains the model; items that came after it are strict-cold: they are in
the catalogue from that day on, and in no training. Points are what shoppers looked at or bought next, in later visits,
where it is such an item and new to the visit. HR@20 over the whole catalogue, three ways, without and with the content
table in the same run:

- *list*: the twenty of the whole pipeline, ``for_you`` with model and ranker (``cold_hr20`` and ``cold_hr20_before``);
- *source*: the first twenty that the content source proposes (``cold_source_hr20``);
- *warm*: the same lists at points whose item the model knows (``warm_hr20_change``: after less before).

The demo shop is made here. Online Retail is read from the folder that ``--data`` or ``RECSITE_BENCHMARK_DATA`` names
(``online_retail/online_retail.parquet`` and ``catalogue_derived.csv``); it has titles and prices, and no categories, so
that without vectors nothing in it is alike. Headline figures are means of the shops that were run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks.quality import DATA
from benchmarks.report import print_table
from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference import ModelSet
from recommendations.items.content import ContentIndex
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.content import ContentSource
from recommendations.retrieval.model import ModelLink
from recommendations.training.content.table import make_table
from recommendations.training.content.text import ItemText
from recommendations.training.data.building import log_from_frame
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.items import ItemFeatures
from recommendations.training.data.readers import read_online_retail
from recommendations.training.data.split import TestPoints, points_at_every_position, split_after
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from recsite.demo.catalogue import SEED, make_products
from recsite.demo.simulation.shoppers import record

PLACEMENT: Final = PlacementSpec(name="cold", strategy="for_you", size=20)
DEMO_END: Final = datetime(2026, 6, 1, tzinfo=UTC)
DEMO_CUT: Final = DEMO_END - timedelta(days=20)
RETAIL_CUT: Final = datetime(2011, 9, 1, tzinfo=UTC)
LONG_AGO_MS: Final = 1_000
DAY_MS: Final = 86_400_000
KINDS: Final = {"view_item": "view", "add_to_cart": "cart", "purchase": "purchase"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A log that is cut at a day, and what the catalogue says of its items."""

    name: str
    log: SessionLog
    cut_ms: int
    rows: Sequence[ItemRow]
    texts: Sequence[ItemText]


def run(*, quick: bool, data: Path | None = None) -> dict[str, float]:
    """Measure; ``quick`` trains small models and looks at a few hundred points."""
    data = data or DATA
    shops = [demo_shop(n_shoppers=600 if quick else 1_500)]
    if (data / "online_retail" / "online_retail.parquet").is_file():
        shops.append(online_retail(data / "online_retail"))
    else:
        print(f"{data}/online_retail/online_retail.parquet is not here: the demo shop alone is measured (see --data)")
    figures: dict[str, float] = {}
    for shop in shops:
        for key, value in measured(shop, quick=quick).items():
            figures[f"{shop.name}_{key}"] = value
    headline = ("cold_hr20", "cold_hr20_before", "warm_hr20_change")
    means = {key: float(np.mean([figures[f"{shop.name}_{key}"] for shop in shops])) for key in headline}
    return {**means, **figures}


def measured(shop: Shop, *, quick: bool) -> dict[str, float]:
    """Train on what is before the cut and ask about what is after it, with and without the content table."""
    before, after = split_after(shop.log, after_ms=shop.cut_ms)
    small = TrainingSettings(
        held_out=0, refit=False, factors=32, als_iterations=5, trees=60, tuning_queries=1_000, max_queries=2_000
    )
    full = TrainingSettings(held_out=0, refit=False, max_queries=8_000, tuning_queries=1_500)
    known_items = {
        row.item_id: ItemFeatures(
            category=row.category, brand=row.brand, price=None if row.price_minor is None else row.price_minor / 100
        )
        for row in shop.rows
    }
    fitted = train_model_set(before, settings=small if quick else full, items=known_items)
    in_training = np.bincount(before.items, minlength=shop.log.n_items) > 0
    cold_ids = {shop.log.item_ids[index] for index in np.flatnonzero(~in_training) if index}
    points = points_at_every_position(after)
    is_cold = ~in_training[points.targets] & points.is_new()
    most = 300 if quick else 4_000
    cold = points.take(_spread(np.flatnonzero(is_cold), most))
    warm = points.take(_spread(np.flatnonzero(in_training[points.targets]), most))
    catalogue = _catalogue(shop, cold_ids)
    made = make_table(lambda: shop.texts, version="1")
    with tempfile.TemporaryDirectory() as folder:
        export_model_set(fitted, Path(folder) / "version", targets=frozenset({Target.CPU}))
        model = ModelSet.load(Path(folder) / "version", providers="cpu")
        link = ModelLink(model, ItemIndex(catalogue), version="1")
        popularity = link.popularity_of_rows()
        content = ContentIndex(made.table, catalogue, popularity=popularity)
        now_ms = shop.cut_ms + DAY_MS
        without, with_content = (
            ServingContext(
                item_index=ItemIndex(catalogue, popularity=popularity, content=each, now_ms=now_ms),
                model=link,
                now_ms=now_ms,
            )
            for each in (None, content)
        )
        result = {
            "cold_source_hr20_before": _hit_rate(_source, without, cold, shop.log),
            "cold_source_hr20": _hit_rate(_source, with_content, cold, shop.log),
            "warm_source_hr20_before": _hit_rate(_source, without, warm, shop.log),
            "warm_source_hr20": _hit_rate(_source, with_content, warm, shop.log),
            "cold_hr20_before": _hit_rate(_list, without, cold, shop.log),
            "cold_hr20": _hit_rate(_list, with_content, cold, shop.log),
            "warm_hr20_before": _hit_rate(_list, without, warm, shop.log),
            "warm_hr20": _hit_rate(_list, with_content, warm, shop.log),
            "cold_items": float(len(cold_ids)),
            "cold_points": float(len(cold)),
            "warm_points": float(len(warm)),
        }
    result["warm_hr20_change"] = result["warm_hr20"] - result["warm_hr20_before"]
    rows = [
        [label, result[f"{key}_before"], result[key]]
        for label, key in (
            ("content source, cold items", "cold_source_hr20"),
            ("content source, known items", "warm_source_hr20"),
            ("whole list, cold items", "cold_hr20"),
            ("whole list, known items", "warm_hr20"),
        )
    ]
    caption = (
        f"{len(cold_ids):,} cold items of {catalogue.n_rows:,}; {int(is_cold.sum()):,} cold points, {len(cold):,} "
        f"asked; {len(warm):,} of known items; vectors of {made.table.vectors.shape[1]} numbers ({made.table.encoder})"
    )
    print_table(f"{shop.name}: HR@20", ["", "without content table", "with it"], rows, caption=caption)
    return result


def demo_shop(*, n_shoppers: int = 1_500) -> Shop:
    """Return the demo shop with sixty days of its simulated shoppers; items of the last twenty days are cold."""
    products = make_products(end=DEMO_END, seed=SEED)
    found: list[dict[str, Any]] = []
    for told in record(products, end=DEMO_END, seed=SEED, site="cold", n_shoppers=n_shoppers):
        for event in told.events:
            kind = KINDS.get(type(event).__struct_config__.tag or "")  # type: ignore[call-overload]
            if kind is not None:
                found += [
                    {
                        "item_id": item.item_id, "occurred_at_ms": event.occurred_at_ms, "kind": kind,
                        "session_id": event.session_id, "user_key": told.user_id or told.anonymous_id,
                        "price": item.price, "quantity": item.quantity,
                    }
                    for item in event.params.items
                ]  # fmt: skip
    return Shop(
        name="demo",
        log=log_from_frame(pl.DataFrame(found)),
        cut_ms=int(DEMO_CUT.timestamp() * 1000),
        rows=[
            _row(
                number, product.item_id, title=product.title, price_minor=product.paid_minor, brand=product.brand,
                category=f"{product.category.department} > {product.category.name}", group_id=product.group_id,
            )
            for number, product in enumerate(products)
        ],
        texts=[
            ItemText(
                item_id=product.item_id, unit=product.group_id or product.item_id, title=product.title,
                category=f"{product.category.department} > {product.category.name}", brand=product.brand,
                description=product.description, tags=product.tags,
                attributes={"colour": product.colour, "material": product.material, "size": product.size},
            )
            for product in products
        ],
    )  # fmt: skip


def online_retail(folder: Path) -> Shop:
    """Return Online Retail; an invoice is a visit, items first sold from September 2011 on are cold."""
    log = read_online_retail(folder / "online_retail.parquet")
    table = pl.read_csv(folder / "catalogue_derived.csv", schema_overrides={"StockCode": pl.String})
    said = {
        code.upper(): (title or "", price) for code, title, price in table.select("StockCode", "title", "price").rows()
    }
    ids = log.item_ids[1:]
    return Shop(
        name="retail",
        log=log,
        cut_ms=int(RETAIL_CUT.timestamp() * 1000),
        rows=[
            _row(number, item_id, title=said[item_id][0], price_minor=round(said[item_id][1] * 100))
            for number, item_id in enumerate(ids)
        ],
        texts=[ItemText(item_id=item_id, unit=item_id, title=said[item_id][0]) for item_id in ids],
    )


def _row(number: int, item_id: str, **known: Any) -> ItemRow:
    values: dict[str, Any] = {
        "titles": {}, "brand": "", "category": "", "url": "", "image_url": "", "sale_price_minor": None,
        "cost_minor": None, "currency": "EUR", "availability": "in_stock", "stock": None, "group_id": "", "tags": (),
        "attributes": {}, "is_active": True, "first_seen_us": LONG_AGO_MS * 1000, "updated_us": LONG_AGO_MS * 1000,
    }  # fmt: skip
    return ItemRow(pk=number + 1, item_id=item_id, **{**values, **known})


def _catalogue(shop: Shop, cold_ids: Iterable[str]) -> CatalogueSnapshot:
    """Return the catalogue on the day after the cut: cold items arrived at the cut, all others long ago."""
    cold = frozenset(cold_ids)
    arrived_us = shop.cut_ms * 1000
    rows = [row._replace(first_seen_us=arrived_us) if row.item_id in cold else row for row in shop.rows]
    return with_changes(CatalogueSnapshot.empty(shop.name), rows)


def _spread(rows: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    return rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(most, len(rows))).astype(np.int64))]


def _hit_rate(
    asked: Callable[[ServingContext, Sequence[str]], Sequence[str]],
    context: ServingContext,
    points: TestPoints,
    log: SessionLog,
) -> float:
    histories, ids = points.histories, log.item_ids
    hits = 0
    for number, target in enumerate(points.targets.tolist()):
        history = histories.items[histories.offsets[number] : histories.offsets[number + 1]]
        newest_first = [ids[index] for index in history[::-1].tolist()]
        hits += ids[target] in asked(context, newest_first)[:20]
    return hits / max(len(points), 1)


def _source(context: ServingContext, newest_first: Sequence[str]) -> list[str]:
    about = context.item_index.rows(newest_first)
    found = ContentSource().retrieve(about, RequestUser(), context, window="24h")
    return [context.item_index.item_id(row) for row in found.rows[:20].tolist()]


def _list(context: ServingContext, newest_first: Sequence[str]) -> list[str]:
    made = recommend(
        ListQuery(placement=PLACEMENT, limit=20),
        RequestUser(key="a:cold", recents=tuple(dict.fromkeys(newest_first)), session=tuple(newest_first)),
        context,
        deadline=Deadline.after(60_000.0),
    )
    return [context.item_index.item_id(row) for row in made.rows]
