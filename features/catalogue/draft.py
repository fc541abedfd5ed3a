"""The next snapshot while it is written: what changed is put into copies of the arrays, emptied rows are taken out."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from features.catalogue.items import (
    MAX_DEPTH,
    NO_ID,
    ItemRow,
    card_of,
    category_levels,
    is_recommendable,
    paid_minor,
    price_until_us,
)
from features.catalogue.snapshot import ARRAYS, CatalogueSnapshot
from features.money import to_major

T = TypeVar("T")

_COMPACT_ABOVE: Final = 0.25  # share of emptied rows from which on the rows are renumbered
_MOST_PIECES: Final = 2_000_000_000
_NO_TAGS: Final[frozenset[str]] = frozenset()


def with_changes(
    snapshot: CatalogueSnapshot,
    changed: Iterable[ItemRow],
    deleted_pks: Collection[int] = (),
    *,
    at_us: int | None = None,
) -> CatalogueSnapshot:
    """Return the next snapshot, with the prices of the time ``at_us`` (now, when left out).

    Costs a copy of the arrays, and work for what changed only.
    """
    draft = Draft(snapshot, at_us=time.time_ns() // 1_000 if at_us is None else at_us)
    draft.remove(deleted_pks)
    for item in changed:
        draft.put(item)
    return draft.finished()


class Draft:
    """The next snapshot while it is being written; its arrays grow by halves, and are cut at the end."""

    def __init__(self, base: CatalogueSnapshot, *, at_us: int) -> None:
        self.base = base
        self.at_us = at_us
        self.arrays: dict[str, npt.NDArray[Any]] = {name: getattr(base, name).copy() for name in ARRAYS}
        self.item_ids = list(base.item_ids)
        self.cards = list(base.cards)
        self.tags = list(base.tags)
        self.attributes = dict(base.attributes)
        self.titles = dict(base.titles)
        self.row_of = dict(base._row_of)
        self.layout_changed = False

    def remove(self, pks: Collection[int]) -> None:
        """Empty the rows of deleted items."""
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
            for name in ARRAYS:
                self.arrays[name][row] = ARRAYS[name][1]

    def put(self, item: ItemRow) -> None:
        """Write what is known of an item now into its row, a new one where it has none."""
        row = self.row_of.get(item.item_id)
        if row is None:
            row = self._new_row(item.item_id)
        base, arrays = self.base, self.arrays
        paid = paid_minor(item, at_us=self.at_us)
        levels = category_levels(item.category, base.categories)
        self.cards[row] = card_of(item, at_us=self.at_us)
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
        arrays["price_until_us"][row] = price_until_us(item, at_us=self.at_us)
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
        """Return the snapshot, without its emptied rows when there are many of them."""
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
    arrays: dict[str, Any] = {name: getattr(snapshot, name)[kept] for name in ARRAYS}
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
    for name in ARRAYS:
        getattr(snapshot, name).setflags(write=False)
    return snapshot


def _grown(array: npt.NDArray[Any], n_more: int) -> npt.NDArray[Any]:
    return np.concatenate([array, np.zeros((n_more, *array.shape[1:]), array.dtype)])
