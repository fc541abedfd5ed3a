"""An item as the catalogue in memory knows it: the row that is read, the card that is shown, the words it uses."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from features.money import to_major

MAX_DEPTH: Final = 6
"""Levels of a category path that filters can name; deeper ones count as the sixth."""

PATH_SEPARATOR: Final = " > "
NO_ID: Final = -1
NEVER: Final = 2**63 - 1


class ItemRow(NamedTuple):
    """The columns of an item that serving needs, in the order in which they are selected."""

    pk: int
    item_id: str
    title: str
    titles: Mapping[str, str]
    brand: str
    category: str
    url: str
    image_url: str
    price_minor: int | None
    sale_price_minor: int | None
    cost_minor: int | None
    currency: str
    availability: str
    stock: int | None
    group_id: str
    tags: Sequence[str]
    attributes: Mapping[str, Any]
    is_active: bool
    first_seen_us: int
    updated_us: int
    sale_starts_us: int | None = None
    sale_ends_us: int | None = None


class ItemCard(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a reply says of an item. Prices are in the currency's main unit; no cost, no stock."""

    item_id: str
    title: str
    url: str
    image_url: str
    price: float | None
    sale_price: float | None
    currency: str
    brand: str
    category: str
    availability: str


class Vocabulary:
    """Names and their numbers, 0 for no name; only ever grows, so that all snapshots of a site share one."""

    def __init__(self) -> None:
        self.names: list[str] = [""]
        self._ids: dict[str, int] = {"": 0}

    def add(self, name: str) -> int:
        """Return the number of ``name``, giving it one when it is new."""
        known = self._ids.get(name)
        if known is None:
            self.names.append(sys.intern(name))
            known = self._ids[name] = len(self.names) - 1
        return known

    def get(self, name: str) -> int:
        """Return the number of ``name``, or ``NO_ID``, which no row has."""
        return self._ids.get(name, NO_ID)


def is_recommendable(item: ItemRow) -> bool:
    """Return whether the item may stand in a list at all; the same rule as ``Item.is_recommendable``."""
    return item.is_active and item.availability != "out_of_stock" and (item.stock is None or item.stock > 0)


def paid_minor(item: ItemRow, *, at_us: int) -> int | None:
    """Return what a user pays at a time: the sale price when it is the lower one, and the sale is on."""
    if item.price_minor is None or item.sale_price_minor is None or not is_sale_on(item, at_us=at_us):
        return item.price_minor
    return min(item.price_minor, item.sale_price_minor)


def is_sale_on(item: ItemRow, *, at_us: int) -> bool:
    """Return whether a time lies in the item's sale; a period without a beginning or an end is open there."""
    has_begun = item.sale_starts_us is None or item.sale_starts_us <= at_us
    return has_begun and (item.sale_ends_us is None or at_us < item.sale_ends_us)


def price_until_us(item: ItemRow, *, at_us: int) -> int:
    """Return when the price changes by itself next: the coming beginning or end of the sale, or ``NEVER``."""
    if item.sale_price_minor is None:
        return NEVER
    return min(
        (time for time in (item.sale_starts_us, item.sale_ends_us) if time is not None and time > at_us), default=NEVER
    )


def card_of(item: ItemRow, *, at_us: int) -> ItemCard:
    """Return what a reply says of the item at a time."""
    paid = paid_minor(item, at_us=at_us)
    on_sale = paid is not None and paid != item.price_minor
    return ItemCard(
        item_id=item.item_id,
        title=item.title,
        url=item.url,
        image_url=item.image_url,
        price=None if item.price_minor is None else to_major(item.price_minor, item.currency),
        sale_price=to_major(paid, item.currency) if on_sale and paid is not None else None,
        currency=sys.intern(item.currency),
        brand=sys.intern(item.brand),
        category=sys.intern(item.category),
        availability=sys.intern(item.availability),
    )


def split_path(path: str) -> list[str]:
    """Return the names of a category path, without blanks."""
    return [name for part in path.split(">") if (name := part.strip())]


def category_levels(path: str, categories: Vocabulary) -> list[int]:
    """Return the numbers of the category and of those above it, the most general one first."""
    names = split_path(path)
    return [categories.add(PATH_SEPARATOR.join(names[:depth])) for depth in range(1, len(names) + 1)][:MAX_DEPTH]


def title_in(titles: Mapping[str, str], locale: str) -> str | None:
    """Return the title for ``locale``, or for its language: ``de-AT`` is served by ``de``."""
    return titles.get(locale) or titles.get(locale.partition("-")[0])
