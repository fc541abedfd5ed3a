"""The demo shop as a source of an import: its catalogue as feed rows, its shoppers' events as records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from recsite.demo.catalogue import CURRENCY, SEED, Product, make_products
from recsite.demo.simulation.shoppers import record
from recsite.importing.base import Unit


class DemoSource:
    """Everything the demo shop has at ``end``."""

    name = "demo"
    currency: str | None = CURRENCY
    path = Path(__file__)

    def __init__(self, *, end: datetime, site: str, seed: int = SEED) -> None:
        self._end = end
        self._site = site
        self._seed = seed

    @cached_property
    def products(self) -> list[Product]:
        """The catalogue."""
        return make_products(end=self._end, seed=self._seed)

    def total(self) -> int:
        """Return how many records there are."""
        return sum(1 for _ in self.units())

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield the products as feed rows."""
        for product in self.products:
            yield item_row(product)

    def units(self) -> Iterator[Unit]:
        """Yield one unit an event."""
        for each in record(self.products, end=self._end, seed=self._seed, site=self._site):
            yield Unit((each,))


def end_of_history(data: Path) -> datetime:
    """Return the moment at which the simulated history ends: fixed at the first run, so that later runs agree."""
    path = data / "imports" / "demo_end"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(datetime.now(UTC).replace(microsecond=0).isoformat())
    return datetime.fromisoformat(path.read_text().strip())


def item_row(product: Product) -> dict[str, Any]:
    """Return a product as a row for the feed writer; the pages and the picture are the demo shop's own."""
    return {
        "item_id": product.item_id,
        "title": product.title,
        "description": product.description,
        "brand": product.brand,
        "category": product.category.path,
        "url": f"/p/{product.item_id}/",
        "image_url": f"/demo/pictures/{product.item_id}.svg",
        "price": f"{product.price_minor / 100:.2f} {CURRENCY}",
        "sale_price": None if product.sale_price_minor is None else f"{product.sale_price_minor / 100:.2f} {CURRENCY}",
        "cost": f"{product.cost_minor / 100:.2f} {CURRENCY}",
        "availability": product.availability,
        "stock": product.stock if product.availability != "preorder" else None,
        "group_id": product.group_id,
        "tags": list(product.tags),
        "attributes": {"colour": product.colour, "material": product.material, "size": product.size},
        "first_seen_at": product.first_seen_at.isoformat(),
    }
