"""Session histories, oldest item first, as one ragged array: the input of sources and of the ranker's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.rrf import IndexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHistories:
    """What users had done at the time of each query.

    Attributes
    ----------
    items : int32
        Item indices, oldest first.
    offsets : int64, shape (n + 1,)
        History ``i`` is ``items[offsets[i]:offsets[i + 1]]``.
    """

    items: IndexArray
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> SessionHistories:
        """Build from item indices, one sequence a query."""
        offsets = np.zeros(len(sequences) + 1, np.int64)
        np.cumsum([len(sequence) for sequence in sequences], out=offsets[1:])
        items = np.fromiter((item for sequence in sequences for item in sequence), np.int32, int(offsets[-1]))
        return cls(items=items, offsets=offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> IndexArray:
        return self.items[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many items each history has."""
        return np.diff(self.offsets)

    @property
    def query_of(self) -> NDArray[np.int64]:
        """The history of each item."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    @property
    def ages(self) -> NDArray[np.int64]:
        """How many items came after each one: 0 for the newest."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.items))

    def take(self, rows: NDArray[np.int64]) -> SessionHistories:
        """Return the histories of these rows, in this order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return SessionHistories(items=self.items[np.repeat(self.offsets[rows], lengths) + within], offsets=offsets)
