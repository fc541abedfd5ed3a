"""A site's catalogue as serving reads it: one immutable copy in memory, as arrays for filters and ready cards.

A row stands for one item. Rows keep their number from one snapshot to the next (a deleted item's row is
emptied, new items are added at the end), so what others computed for rows stays right while ``layout`` does.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from features.money import to_major

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")

MAX_DEPTH: Final = 6
"""Levels of a category path that filters can name; deeper ones count as the sixth."""

PATH_SEPARATOR: Final = " > "
NO_ID: Final = -1
_COMPACT_ABOVE: Final = 0.25  # share of emptied rows from which on the rows are numbered anew
_MOST_PIECES: Final = 2_000_000_000
_NO_TAGS: Final[frozenset[str]] = frozenset()


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


@dataclass(frozen=True, kw_only=True)
class CatalogueSnapshot:
    """The catalogue of one site at one moment; never changed after it is built, so threads may share it.

    Arrays have one entry a row. ``price`` is what a shopper pays now (the sale price when there is one), in the
    main unit, NaN when unknown; ``margin`` is its share that is left after the cost, NaN when unknown;
    ``brand``, ``category``, ``category_levels`` and ``group`` hold numbers of the vocabularies, 0 for none;
    ``category_levels`` has one column a level of the path; ``stock`` is -1 when pieces are not counted.
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
            for name, (dtype, _) in _ARRAYS.items()
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

    def rows(self, item_ids: Iterable[str]) -> IntArray:
        """Return the row of each item, ``NO_ID`` for unknown ones, in the order given."""
        lookup = self._row_of
        return np.fromiter((lookup.get(item_id, NO_ID) for item_id in item_ids), np.int32)

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

    def of_brand(self, brand: str) -> Mask:
        """Return which rows are of ``brand``."""
        found: Mask = self.brand == self.brands.get(brand)
        return found

    def with_tag(self, tag: str) -> Mask:
        """Return which rows carry ``tag``; walks all rows, so callers keep the answer per version."""
        return np.fromiter((tag in tags for tags in self.tags), np.bool_, count=self.n_rows)

    def with_attribute(self, name: str, value: object) -> Mask:
        """Return which rows have the attribute ``name`` equal to ``value``."""
        found = np.zeros(self.n_rows, np.bool_)
        found[[row for row, attributes in self.attributes.items() if attributes.get(name) == value]] = True
        return found

    def attributes_of(self, item_id: str) -> Mapping[str, Any]:
        """Return the item's other attributes; empty when it has none."""
        row = self._row_of.get(item_id)
        return {} if row is None else self.attributes.get(row, {})

    def with_changes(self, changed: Iterable[ItemRow], deleted_pks: Collection[int] = ()) -> CatalogueSnapshot:
        """Return the next snapshot; costs a copy of the arrays, and work for what changed only."""
        draft = _Draft(self)
        draft.remove(deleted_pks)
        for item in changed:
            draft.put(item)
        return draft.finished()


#: The arrays: their dtype, and what an emptied row holds.
_ARRAYS: Final[dict[str, tuple[type[np.generic], float]]] = {
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
}


class _Draft:
    """The next snapshot while it is being written; its arrays grow by halves, and are cut at the end."""

    def __init__(self, base: CatalogueSnapshot) -> None:
        self.base = base
        self.arrays: dict[str, npt.NDArray[Any]] = {name: getattr(base, name).copy() for name in _ARRAYS}
        self.item_ids = list(base.item_ids)
        self.cards = list(base.cards)
        self.tags = list(base.tags)
        self.attributes = dict(base.attributes)
        self.titles = dict(base.titles)
        self.row_of = dict(base._row_of)
        self.layout_changed = False

    def remove(self, pks: Collection[int]) -> None:
        if not pks:
            return
        self.layout_changed = True
        for row in np.flatnonzero(np.isin(self.arrays["pk"], list(pks))).tolist():
            item_id = self.item_ids[row]
            if item_id is not None:
                del self.row_of[item_id]
            self.item_ids[row] = self.cards[row] = None
            self.tags[row] = _NO_TAGS
            self.attributes.pop(row, None)
            self.titles.pop(row, None)
            for name in _ARRAYS:
                self.arrays[name][row] = _ARRAYS[name][1]

    def put(self, item: ItemRow) -> None:
        row = self.row_of.get(item.item_id)
        if row is None:
            row = self._new_row(item.item_id)
        base, arrays = self.base, self.arrays
        paid = paid_minor(item)
        levels = category_levels(item.category, base.categories)
        self.cards[row] = card_of(item)
        arrays["price"][row] = np.nan if paid is None else to_major(paid, item.currency)
        arrays["margin"][row] = 1 - item.cost_minor / paid if paid and item.cost_minor is not None else np.nan
        arrays["is_recommendable"][row] = is_recommendable(item)
        arrays["is_on_sale"][row] = paid != item.price_minor
        arrays["brand"][row] = base.brands.add(item.brand)
        arrays["group"][row] = base.groups.add(item.group_id)
        arrays["category"][row] = levels[-1] if levels else 0
        arrays["category_levels"][row] = (*levels, *[0] * (MAX_DEPTH - len(levels)))
        arrays["stock"][row] = NO_ID if item.stock is None else max(0, min(item.stock, _MOST_PIECES))
        arrays["first_seen_ms"][row] = item.first_seen_us // 1000
        arrays["pk"][row] = item.pk
        arrays["updated_us"][row] = item.updated_us
        self.tags[row] = frozenset(sys.intern(str(tag)) for tag in item.tags) if item.tags else _NO_TAGS
        for kept, value in ((self.attributes, item.attributes), (self.titles, item.titles)):
            if value:
                kept[row] = value
            else:
                kept.pop(row, None)

    def _new_row(self, item_id: str) -> int:
        row = len(self.item_ids)
        self.layout_changed = True
        self.row_of[item_id] = row
        self.item_ids.append(item_id)
        self.cards.append(None)
        self.tags.append(_NO_TAGS)
        if row >= len(self.arrays["pk"]):
            n_more = max(64, row // 2)
            self.arrays = {name: _grown(array, n_more) for name, array in self.arrays.items()}
        return row

    def finished(self) -> CatalogueSnapshot:
        n_rows = len(self.item_ids)
        arrays: dict[str, Any] = {name: array[:n_rows].copy() for name, array in self.arrays.items()}
        snapshot = replace(
            self.base,
            version=self.base.version + 1,
            layout=self.base.layout + self.layout_changed,
            item_ids=tuple(self.item_ids),
            cards=tuple(self.cards),
            tags=tuple(self.tags),
            attributes=self.attributes,
            titles=self.titles,
            _row_of=self.row_of,
            **arrays,
        )
        n_empty = n_rows - len(self.row_of)
        return _compacted(snapshot) if n_empty > _COMPACT_ABOVE * n_rows else _frozen(snapshot)


def _compacted(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    """Return the snapshot without its emptied rows."""
    kept = [row for row, item_id in enumerate(snapshot.item_ids) if item_id is not None]
    item_ids = tuple(snapshot.item_ids[row] for row in kept)
    arrays: dict[str, Any] = {name: getattr(snapshot, name)[kept] for name in _ARRAYS}
    return _frozen(
        replace(
            snapshot,
            item_ids=item_ids,
            cards=tuple(snapshot.cards[row] for row in kept),
            tags=tuple(snapshot.tags[row] for row in kept),
            attributes=_renumbered(snapshot.attributes, kept),
            titles=_renumbered(snapshot.titles, kept),
            _row_of={item_id: row for row, item_id in enumerate(item_ids) if item_id is not None},
            **arrays,
        )
    )


def _renumbered(by_row: Mapping[int, T], kept: Sequence[int]) -> dict[int, T]:
    return {new: by_row[old] for new, old in enumerate(kept) if old in by_row}


def _frozen(snapshot: CatalogueSnapshot) -> CatalogueSnapshot:
    for name in _ARRAYS:
        getattr(snapshot, name).setflags(write=False)
    return snapshot


def _grown(array: npt.NDArray[Any], n_more: int) -> npt.NDArray[Any]:
    return np.concatenate([array, np.zeros((n_more, *array.shape[1:]), array.dtype)])


def is_recommendable(item: ItemRow) -> bool:
    """Return whether the item may stand in a list at all; the same rule as ``Item.is_recommendable``."""
    return item.is_active and item.availability != "out_of_stock" and (item.stock is None or item.stock > 0)


def paid_minor(item: ItemRow) -> int | None:
    """Return what a shopper pays now: the sale price when it is the lower one."""
    if item.price_minor is None or item.sale_price_minor is None:
        return item.price_minor
    return min(item.price_minor, item.sale_price_minor)


def card_of(item: ItemRow) -> ItemCard:
    """Return what a reply says of the item."""
    paid = paid_minor(item)
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
