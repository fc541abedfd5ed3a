"""Tables whose rows differ in length, without storing what pads them.

Item-item tables and posting lists follow a power law: padded to the longest row, nine tenths of them are zeros. Here
rows lie one after the other in blocks of eight, and a row is read as its blocks: as fast as reading a padded row,
eight times faster than reading single values, at a tenth of the memory. Numbers of rows are stored in two bytes where
they fit: below 65,536 items a table of neighbours with their weights takes a quarter less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import ExportFailed
from recommendations.graphs.builder import GraphBuilder

BLOCK = 8
_MOST_BLOCKS = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RaggedRows:
    """Where each row of a table begins and how many blocks it has, as constants of a graph.

    Attributes
    ----------
    n_columns : int
        Length of a row once it is read: the longest, in whole blocks.
    """

    starts: str
    counts: str
    n_columns: int

    def positions(self, g: GraphBuilder, rows: str) -> str:
        """Return the blocks of the given rows, int32 [n_rows, n_blocks]; 0, the block of zeros, fills up."""
        column = g.constant(np.arange(self.n_columns // BLOCK, dtype=np.int32))
        last = g.ints(-1)
        start = g.op("Unsqueeze", g.op("Gather", self.starts, rows, axis=0), last)
        count = g.op("Unsqueeze", g.op("Gather", self.counts, rows, axis=0), last)
        zero = g.constant(np.zeros(1, np.int32))
        return g.op("Where", g.op("Less", column, count), g.op("Add", start, column), zero)

    def read(self, g: GraphBuilder, blocks: str, positions: str) -> str:
        """Return rows of a table stored by ``blocks_of``, [n_rows, n_columns]."""
        return g.op("Reshape", g.op("Gather", blocks, positions, axis=0), g.ints(-1, self.n_columns))

    def read_numbers(self, g: GraphBuilder, blocks: str, positions: str) -> str:
        """Return rows of a table stored by ``narrow``, int32 [n_rows, n_columns]."""
        return g.op("Cast", self.read(g, blocks, positions), to=6)


def ragged_rows(g: GraphBuilder, table: NDArray[np.int32], name: str) -> RaggedRows:
    """Store the shape of a table: a row ends with its last value that is not 0."""
    counts = _block_counts(table)
    if counts.sum() >= _MOST_BLOCKS:
        raise ExportFailed(f"{name} has {counts.sum():,} blocks, more than {_MOST_BLOCKS:,}; keep fewer of them")
    starts = np.concatenate([[1], 1 + np.cumsum(counts)[:-1]])  # block 0 is all zeros
    return RaggedRows(
        starts=g.constant(np.where(counts > 0, starts, 0).astype(np.int32), f"{name}_starts"),
        counts=g.constant(counts.astype(np.int32), f"{name}_counts"),
        n_columns=max(int(counts.max()), 1) * BLOCK,
    )


def blocks_of(values: NDArray[Any], shape_of: NDArray[np.int32]) -> NDArray[Any]:
    """Return the blocks of ``values`` (n_blocks, 8), block 0 zeros, rows as long as those of ``shape_of``."""
    counts = _block_counts(shape_of)
    longest = max(int(counts.max()), 1)
    padded = np.zeros((len(values), longest * BLOCK), values.dtype)
    columns = min(values.shape[1], longest * BLOCK)
    padded[:, :columns] = values[:, :columns]
    blocks = padded.reshape(len(values), longest, BLOCK)
    kept = blocks[np.arange(longest)[None] < counts[:, None]]
    return np.concatenate([np.zeros((1, BLOCK), values.dtype), kept])


def narrow(numbers: NDArray[np.int32]) -> NDArray[np.int32] | NDArray[np.uint16]:
    """Return the same numbers, none below 0, in two bytes each where all fit."""
    return numbers.astype(np.uint16) if numbers.max(initial=0) <= np.iinfo(np.uint16).max else numbers


def _block_counts(table: NDArray[np.int32]) -> NDArray[np.int64]:
    columns = np.arange(1, table.shape[1] + 1)
    lengths = np.where(table != 0, columns, 0).max(axis=1)
    return np.asarray(-(-lengths // BLOCK), np.int64)
