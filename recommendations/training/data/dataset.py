"""Interactions as columns: sessions oldest first, items as indices into one vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import RecommendationError
from recommendations.training.fitted import DataRange, FloatArray, IndexArray
from tracking.deferred import deferred

if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = deferred("scipy.sparse")

SESSION_GAP_MS = 30 * 60 * 1000


class InvalidDataset(RecommendationError):
    """The log cannot be trained on; the message names what is wrong and what to do."""


class Kind(IntEnum):
    """What the user did; a greater number is nearer to the money."""

    VIEW = 0
    CART = 1
    PURCHASE = 2


KINDS = {kind.name.lower(): int(kind) for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLog:
    """Sessions in the order of their ends; within a session, interactions in the order of their times.

    Attributes
    ----------
    item_ids : tuple of str
        The vocabulary; entry 0 is the empty string, the padding row.
    items : int32, shape (n_interactions,)
        Item indices, never 0.
    kinds : uint8, shape (n_interactions,)
    occurred_at_ms : int64, shape (n_interactions,)
        Event times; where a log has none, an ordinal that rises by one a session.
    offsets : int64, shape (n_sessions + 1,)
        Session ``s`` is ``items[offsets[s]:offsets[s + 1]]``; none is empty.
    users : int32, shape (n_sessions,)
        Dense user numbers; -1 where the log names nobody.
    prices : float32, shape (n_interactions,), optional
        What one piece cost then, in the main unit; NaN where the log does not say.
    amounts : int64, shape (n_interactions,), optional
        What was paid and not refunded, in minor units of the site's currency; 0 for all but purchases.
    positions : int16, shape (n_interactions,), optional
        0-based slot of the list in which the item was clicked; -1 where no list led to the interaction.
    has_times : bool
        Whether ``occurred_at_ms`` are times; false for a log that knows the order alone.
    decimals : int
        Of the currency in whose minor units ``amounts`` are: 2 for EUR, 0 for JPY.
    """

    item_ids: tuple[str, ...]
    items: IndexArray
    kinds: NDArray[np.uint8]
    occurred_at_ms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    users: IndexArray
    prices: FloatArray | None = None
    amounts: NDArray[np.int64] | None = None
    positions: NDArray[np.int16] | None = None
    has_times: bool = True
    decimals: int = 2

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_items(self) -> int:
        """Rows of the vocabulary, the padding row included."""
        return len(self.item_ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Interactions of each session; shape (n_sessions,)."""
        return np.diff(self.offsets)

    @property
    def session_of(self) -> IndexArray:
        """The session of each interaction; int32, shape (n_interactions,)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    @property
    def ended_at_ms(self) -> NDArray[np.int64]:
        """Event time of the last interaction of each session; rises."""
        return self.occurred_at_ms[self.offsets[1:] - 1]

    def counts(self) -> NDArray[np.int64]:
        """Interactions of each item; int64, shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items)

    def matrix(self, chosen: NDArray[np.bool_] | None = None) -> sparse.csr_matrix:
        """Return 1 where a session holds an item, by the chosen interactions; float32, shape (n_sessions, n_items)."""
        if chosen is None:
            items, offsets = self.items.copy(), self.offsets
        else:
            items = self.items[chosen]
            offsets = offsets_of(np.add.reduceat(np.append(chosen, False), self.offsets, dtype=np.int64)[:-1])
        shape = (len(self), self.n_items)
        matrix = sparse.csr_matrix((np.ones(len(items), np.float32), items, offsets), shape=shape)
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix

    def data_range(self) -> DataRange:
        """Return which interactions these are, for the version's manifest."""
        return DataRange(
            first_ms=int(self.occurred_at_ms.min()),
            last_ms=int(self.occurred_at_ms.max()),
            interactions=len(self.items),
            sessions=len(self),
            users=len(np.unique(self.users[self.users >= 0])),
        )

    def between(self, first: int, last: int) -> SessionLog:
        """Return sessions ``first`` to ``last`` (exclusive), under the same vocabulary."""
        start, end = int(self.offsets[first]), int(self.offsets[last])
        return replace(
            self,
            items=self.items[start:end],
            kinds=self.kinds[start:end],
            occurred_at_ms=self.occurred_at_ms[start:end],
            offsets=self.offsets[first : last + 1] - start,
            users=self.users[first:last],
            **self._optional(slice(start, end)),
        )

    def reindexed(self, item_ids: tuple[str, ...]) -> SessionLog:
        """Return the same sessions under another vocabulary, without unknown items and sessions left empty."""
        index_of = {item_id: index for index, item_id in enumerate(item_ids)}
        mapping = np.array([index_of.get(item_id, 0) for item_id in self.item_ids], np.int32)
        items = mapping[self.items]
        known = items > 0
        if known.all():  # the usual case, and the rest of the log is not held twice then
            return replace(self, item_ids=item_ids, items=items)
        lengths = np.bincount(self.session_of[known], minlength=len(self))
        return replace(
            self,
            item_ids=item_ids,
            items=items[known],
            kinds=self.kinds[known],
            occurred_at_ms=self.occurred_at_ms[known],
            offsets=offsets_of(lengths[lengths > 0]),
            users=self.users[lengths > 0],
            **self._optional(known),
        )

    def renamed(self, name_of: Mapping[str, str]) -> SessionLog:
        """Return the same sessions with items under other names, such as those of their products.

        Items that get one name are one item from then on; those that ``name_of`` does not have keep theirs.
        """
        names = [name_of.get(item_id, item_id) for item_id in self.item_ids[1:]]
        item_ids = ("", *sorted(set(names)))
        index_of = {name: index for index, name in enumerate(item_ids)}
        mapping = np.array([0, *(index_of[name] for name in names)], np.int32)
        return replace(self, item_ids=item_ids, items=mapping[self.items])

    def _optional(self, chosen: slice | NDArray[np.bool_]) -> dict[str, Any]:
        """Return these entries of what a log may lack."""
        optional = {"prices": self.prices, "amounts": self.amounts, "positions": self.positions}
        return {name: None if values is None else values[chosen] for name, values in optional.items()}


def popularity_vocabulary(log: SessionLog, *, catalogue: Iterable[str] = ()) -> tuple[str, ...]:
    """Return "" and then the log's items by descending count, ties by id; the rest of the catalogue last."""
    counts = log.counts()
    seen = [(-int(counts[i]), log.item_ids[i]) for i in np.flatnonzero(counts)]
    ranked = [item_id for _, item_id in sorted(seen)]
    missing = sorted(set(catalogue) - set(ranked) - {""})
    return ("", *ranked, *missing)


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each run of these lengths begins, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
