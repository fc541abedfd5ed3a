"""What each column of a feed means: chosen by a person, declared by its dialect, or by its general name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from features.feed_files.dialects.registry import DIALECTS
from features.feed_files.names import normalised
from features.feed_files.report import FeedBroken, FeedReport
from features.feeds.names import ATTRIBUTE_FIELDS, looks_like_price, meaning_of
from features.feeds.values import FIELDS

#: Fields that a person can choose for a column, and what they are called.
CHOICES: Final = {
    "item_id": "Item id", "title": "Title", "description": "Description", "brand": "Brand", "category": "Category",
    "google_category": "Google category", "url": "Address of the page", "image_url": "Picture", "price": "Price",
    "sale_price": "Sale price", "sale_period": "Period of the sale", "sale_starts_at": "Sale begins",
    "sale_ends_at": "Sale ends", "cost": "Cost (for margin)", "currency": "Currency", "availability": "Availability",
    "stock": "Pieces in stock", "group_id": "Group of variants", "tags": "Tags", "is_active": "Shown (yes or no)",
    "first_seen_at": "Available since", "locale": "Language of the row",
}  # fmt: skip

#: Fields without which a catalogue is of little use, with what is missed.
WANTED: Final = {
    "item_id": "Rows cannot be told apart; nothing is loaded.",
    "title": "New items need one.",
    "price": "Lists show no price, and rules by price pass over the items.",
    "image_url": "Lists show no picture.",
    "url": "A click leads nowhere.",
    "category": "Nothing can be limited to a category.",
    "availability": "Sold-out items are recommended, unless pieces in stock are named.",
}


class ColumnMeaning(NamedTuple):
    """A column with its meaning; ``field`` is empty where it is not used, ``is_chosen`` where a person said so."""

    name: str
    field: str
    is_chosen: bool
    samples: tuple[str, ...]
    filled: int


def column_meanings(report: FeedReport, mapping: Mapping[str, str]) -> list[ColumnMeaning]:
    """Return what the columns of a file that was read mean, in the file's order."""
    chosen = {normalised(column): field for column, field in mapping.items()}
    dialect = next((one for one in DIALECTS if one.name == report.dialect), None)
    found = []
    for key, column in report.columns.items():
        declared = dialect.field_of(key) if dialect else None
        field = chosen[key] if key in chosen else _general(key) if declared is None else declared
        found.append(ColumnMeaning(column.name, field, key in chosen, tuple(column.samples), column.filled))
    return found


def check_id(columns: list[ColumnMeaning], report: FeedReport) -> None:
    """Refuse a file in which no column is the item's id; a dialect may make it of several.

    Raises
    ------
    FeedBroken
        It names the columns and says what to do.
    """
    if report.dialect or any(column.field == "item_id" for column in columns):
        return
    names = ", ".join(column.name for column in columns[:10]) or "none"
    read_as = ", ".join(report.notes) or "rows"
    raise FeedBroken(
        0,
        f"was read as {read_as}; no column is known as the item's id (item_id, id, sku), there are: {names}. Say which "
        "one it is under Admin → Feeds → Columns or with --map 'COLUMN=item_id'; else the file is no catalogue",
    )


def check_price(columns: list[ColumnMeaning]) -> None:
    """Refuse a file with a column that looks like the price, when none is understood as it.

    Raises
    ------
    FeedBroken
        It names the columns and says what to do.
    """
    if any(column.field in ("price", "sale_price") for column in columns):
        return
    unclear = [column.name for column in columns if not column.field and not column.is_chosen]
    prices = [name for name in unclear if looks_like_price(name)]
    if prices:
        raise FeedBroken(
            0,
            f"the price was not understood: is it {' or '.join(map(repr, prices[:5]))}? Say so under Admin → Feeds → "
            f"Columns, with --map '{prices[0]}=price', or name the column price",
        )


def _general(key: str) -> str:
    field = meaning_of(key).field
    if field in ATTRIBUTE_FIELDS or field.startswith("attributes."):
        return f"attributes.{field.removeprefix('attributes.')}"
    return field if field in FIELDS else ""
