"""A site's catalogue as serving reads it: one immutable copy in memory, as arrays for filters and ready cards.

A row stands for one item. Rows keep their number from one snapshot to the next (a deleted item's row is
emptied, new items are added at the end), so what others computed for rows stays right while ``layout`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from features.catalogue.items import (
    MAX_DEPTH,
    NEVER,
    NO_ID,
    PATH_SEPARATOR,
    ItemCard,
    Vocabulary,
    split_path,
    title_in,
)
from features.catalogue.products import NO_PRODUCT, Products, products_of

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


#: The arrays: their dtype, and what an emptied row holds.
ARRAYS: Final[dict[str, tuple[type[np.generic], float]]] = {
    "price": (np.float32, np.nan),
    "margin": (np.float32, np.nan),
    "is_recommendable": (np.bool_, False),
    "is_on_sale": (np.bool_, False),
    "brand": (np.int32, 0),
    "category": (np.int32, 0),
    "category_levels": (np.int32, 0),
    "group": (np.int32, 0),
    "stock": (np.int32, NO_ID),
    "first_seen_ms": (np.int64, 0),
    "pk": (np.int64, NO_ID),
    "updated_us": (np.int64, 0),
    "price_until_us": (np.int64, NEVER),
}


@dataclass(frozen=True, kw_only=True)
class CatalogueSnapshot:
    """The catalogue of one site at one moment; never changed after it is built, so threads may share it.

    Arrays have one entry a row. ``price`` is what a user pays now (the sale price when there is one), in the
    main unit, NaN when unknown; ``margin`` is its share that is left after the cost, NaN when unknown;
    ``brand``, ``category``, ``category_levels`` and ``group`` hold numbers of the vocabularies, 0 for none;
    ``category_levels`` has one column a level of the path; ``stock`` is -1 when pieces are not counted;
    ``price_until_us`` is when the price changes by itself next, as a sale begins or ends, ``NEVER`` for most items.
    """

    site: str
    version: int = 0
    layout: int = 0
    item_ids: tuple[str | None, ...] = ()
    cards: tuple[ItemCard | None, ...] = ()
    price: FloatArray
    margin: FloatArray
    is_recommendable: Mask
    is_on_sale: Mask
    brand: IntArray
    category: IntArray
    category_levels: IntArray
    group: IntArray
    stock: IntArray
    first_seen_ms: LongArray
    pk: LongArray
    updated_us: LongArray
    price_until_us: LongArray
    tags: tuple[frozenset[str], ...] = ()
    attributes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    titles: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    categories: Vocabulary = field(default_factory=Vocabulary)
    brands: Vocabulary = field(default_factory=Vocabulary)
    groups: Vocabulary = field(default_factory=Vocabulary)
    _row_of: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, site: str) -> CatalogueSnapshot:
        """Return the snapshot before the first load: version 0, no rows."""
        arrays: dict[str, Any] = {
            name: np.empty((0, MAX_DEPTH) if name == "category_levels" else 0, dtype)
            for name, (dtype, _) in ARRAYS.items()
        }
        return cls(site=site, **arrays)

    def __len__(self) -> int:
        """Return how many items there are, sold-out ones included."""
        return len(self._row_of)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._row_of

    @property
    def n_rows(self) -> int:
        """Return the length of every array."""
        return len(self.item_ids)

    def row(self, item_id: str) -> int | None:
        """Return the row of an item, ``None`` when the catalogue does not have it."""
        return self._row_of.get(item_id)

    def rows_or_none(self, item_ids: Iterable[str]) -> list[int | None]:
        """Return the row of each item, ``None`` for unknown ones, in the order given."""
        return list(map(self._row_of.get, item_ids))

    def rows(self, item_ids: Iterable[str]) -> IntArray:
        """Return the row of each item, ``NO_ID`` for unknown ones, in the order given."""
        lookup = self._row_of
        return np.fromiter((lookup.get(item_id, NO_ID) for item_id in item_ids), np.int32)

    @cached_property
    def products(self) -> Products:
        """Which rows are variants of one product; made when it is first asked for."""
        return products_of(self.group, group_names=self.groups.names, row_of=self._row_of)

    def product_of_group(self, group_id: str) -> int | None:
        """Return the product whose variants share ``group_id``, ``None`` when no item has it."""
        number = self.groups.get(group_id)
        of_group = self.products.of_group
        product = int(of_group[number]) if 0 < number < len(of_group) else NO_PRODUCT
        return None if product == NO_PRODUCT else product

    def card(self, item_id: str, *, locale: str | None = None) -> ItemCard | None:
        """Return what a reply says of an item, with the title in ``locale`` when there is one."""
        row = self._row_of.get(item_id)
        if row is None:
            return None
        card = self.cards[row]
        if locale is None or card is None or row not in self.titles:
            return card
        title = title_in(self.titles[row], locale)
        return card if title is None else msgspec.structs.replace(card, title=title)

    def recommendable(self, item_id: str) -> bool:
        """Return whether the item may stand in a list: known, active, not sold out."""
        row = self._row_of.get(item_id)
        return row is not None and bool(self.is_recommendable[row])

    def in_category(self, path: str) -> Mask:
        """Return which rows lie in the category ``path`` or below it."""
        names = split_path(path)
        if not names:
            return np.zeros(self.n_rows, np.bool_)
        level = min(len(names), MAX_DEPTH) - 1
        wanted = self.categories.get(PATH_SEPARATOR.join(names))
        found: Mask = self.category_levels[:, level] == wanted
        return found

    def attributes_of(self, item_id: str) -> Mapping[str, Any]:
        """Return the item's other attributes; empty when it has none."""
        row = self._row_of.get(item_id)
        return {} if row is None else self.attributes.get(row, {})
