"""Rows of a catalogue, and snapshots of them."""

from __future__ import annotations

from typing import Any

from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot


def row(number: int, **changes: Any) -> ItemRow:
    values: dict[str, Any] = {
        "pk": number, "item_id": f"i{number}", "title": f"Item {number}", "titles": {}, "brand": "Kiln",
        "category": "Kitchen > Mugs", "url": "/p", "image_url": "", "price_minor": 1_000, "sale_price_minor": None,
        "cost_minor": None, "currency": "EUR", "availability": "in_stock", "stock": None, "group_id": "", "tags": [],
        "attributes": {}, "is_active": True, "first_seen_us": 5_000_000, "updated_us": 1,
    }  # fmt: skip
    return ItemRow(**{**values, **changes})


def snapshot(*rows: ItemRow) -> CatalogueSnapshot:
    return with_changes(CatalogueSnapshot.empty("shop"), rows)
