"""Small catalogues in memory, of which a test knows every item."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import ListResult
from recommendations.retrieval.base import ServingContext

NOW_MS = 1_800_000_000_000
DAY_US = 86_400_000_000


def item_row(number: int, **changes: Any) -> ItemRow:
    """Return item ``sku<number>``: 1.00 dearer and a day older than the one before it."""
    values: dict[str, Any] = {
        "pk": number + 1, "item_id": f"sku{number}", "title": f"Item {number}", "titles": {}, "brand": "",
        "category": "", "url": f"/p/{number}", "image_url": "", "price_minor": 100 * (number + 1),
        "sale_price_minor": None, "cost_minor": None, "currency": "EUR", "availability": "in_stock", "stock": None,
        "group_id": "", "tags": [], "attributes": {}, "is_active": True,
        "first_seen_us": NOW_MS * 1000 - (number + 40) * DAY_US, "updated_us": NOW_MS * 1000,
    }  # fmt: skip
    return ItemRow(**{**values, **changes})


def catalogue(*items: ItemRow | dict[str, Any], n: int = 0) -> CatalogueSnapshot:
    """Return a catalogue of these items, or of ``n`` plain ones; a dict changes the item at its position."""
    rows = [
        item if isinstance(item, ItemRow) else item_row(number, **item) for number, item in enumerate(items or [{}] * n)
    ]
    return with_changes(CatalogueSnapshot.empty("shop"), rows)


def item_index(*items: ItemRow | dict[str, Any], n: int = 0, popular: dict[str, float] | None = None) -> ItemIndex:
    """Return an item index; without ``popular`` items are the more popular the lower their number."""
    snapshot = catalogue(*items, n=n)
    popularity = np.arange(snapshot.n_rows, 0, -1).astype(np.float32)
    if popular is not None:
        popularity[:] = 0
        for item_id, value in popular.items():
            row = snapshot.row(item_id)
            assert row is not None
            popularity[row] = value
    return ItemIndex(snapshot, popularity=popularity, now_ms=NOW_MS)


def served(
    on: ItemIndex,
    placement: PlacementSpec | None = None,
    *,
    user: RequestUser | None = None,
    limit: int = 8,
    model: Any = None,
    **query: Any,
) -> ListResult:
    """Return what the pipeline makes of one list query."""
    return recommend(
        ListQuery(placement=placement or PlacementSpec(name="home"), limit=limit, **query),
        user or RequestUser(),
        ServingContext(item_index=on, model=model, now_ms=NOW_MS),
        deadline=Deadline.after(1_000),
    )


def ids(on: ItemIndex, result: ListResult) -> list[str]:
    """Return the item ids of a list."""
    return [on.item_id(row) for row in result.rows]
