"""Between sparse matrices and padded tables: the greatest entries of each row, with certain ties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.rrf import FloatArray, IndexArray
from recommendations.training.fitted import Neighbours
from tracking.deferred import deferred

if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = deferred("scipy.sparse")

BLOCK_ROWS = 1 << 15  # rows whose best entries are looked for at a time
_LOW_32 = np.uint64(0xFFFFFFFF)


def top_of_rows(
    matrix: sparse.csr_matrix, k: int, *, greater_index_wins: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Return (row, column, value) of the ``k`` greatest entries of each row, best first, ties by index.

    Value and index are packed into one integer, so that the order of equal values is certain; floats that are
    not negative sort as their bits do.
    """
    columns = matrix.indices.astype(np.uint64)
    keys = matrix.data.astype(np.float32).view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= columns if greater_index_wins else _LOW_32 - columns
    best = []
    for start, end in zip(matrix.indptr[:-1].tolist(), matrix.indptr[1:].tolist(), strict=True):
        row = keys[start:end]
        if len(row) > k:
            row = np.partition(row, len(row) - k)[-k:]
        best.append(np.sort(row)[::-1])
    kept = np.concatenate(best) if best else np.empty(0, np.uint64)
    rows = np.repeat(np.arange(len(best)), [len(row) for row in best])
    low = kept & _LOW_32
    found = (low if greater_index_wins else _LOW_32 - low).astype(np.int64)
    return rows, found, (kept >> np.uint64(32)).astype(np.uint32).view(np.float32)


def cut_rows(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Return the matrix with the ``k`` greatest entries of each row, ties by lower column."""
    rows, columns, values = top_of_rows(matrix, k, greater_index_wins=False)
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))])
    return sparse.csr_matrix((values, columns.astype(np.int32), pointers), shape=matrix.shape)


def rows_to_one(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the matrix with rows that sum to 1; rows of zeros stay."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return (sparse.diags_array((1 / np.maximum(sums, 1e-9)).astype(np.float32)) @ matrix).tocsr()


def table_of(name: str, matrix: sparse.csr_matrix, *, k: int, decay: float, last_n: int) -> Neighbours:
    """Return the ``k`` greatest positive entries of each row, ties by lower column, as a padded table."""
    matrix.sum_duplicates()
    blocks = ((row, matrix[row : row + BLOCK_ROWS]) for row in range(0, matrix.shape[0], BLOCK_ROWS))
    return table_of_blocks(name, blocks, n_items=matrix.shape[0], k=k, decay=decay, last_n=last_n)


def table_of_blocks(
    name: str, blocks: Iterable[tuple[int, sparse.csr_matrix]], *, n_items: int, k: int, decay: float, last_n: int
) -> Neighbours:
    """Do the same for a matrix that comes in blocks of rows, each with its first row, so that it is never whole."""
    indices, weights = np.zeros((n_items, k), np.int32), np.zeros((n_items, k), np.float32)
    for first, block in blocks:
        block.sum_duplicates()
        rows, columns, values = top_of_rows(block, k, greater_index_wins=False)
        positions = np.arange(len(rows)) - np.searchsorted(rows, np.arange(block.shape[0]))[rows]
        rows += first
        kept = (columns > 0) & (rows > 0) & (values > 0)
        indices[rows[kept], positions[kept]] = columns[kept]
        weights[rows[kept], positions[kept]] = values[kept]
    return Neighbours(name=name, indices=indices, weights=weights, decay=decay, last_n=last_n)


def row_blocks(costs: NDArray[Any], most: float) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of runs of rows that cost ``most`` together at the most, or one row each."""
    before = np.concatenate([np.zeros(1), np.cumsum(costs, dtype=np.float64)])
    first = 0
    while first < len(costs):
        end = max(int(np.searchsorted(before, before[first] + most, side="right")) - 1, first + 1)
        yield first, end
        first = end


def neighbour_matrix(table: Neighbours) -> sparse.csr_matrix:
    """Return a table as a sparse matrix, padding left out."""
    return matrix_of_rows(table.indices, table.weights, len(table.indices))


def matrix_of_rows(indices: IndexArray, values: FloatArray, n_columns: int) -> sparse.csr_matrix:
    """Return padded rows as a sparse matrix."""
    filled = indices > 0
    pointers = np.concatenate([[0], np.cumsum(filled.sum(1))])
    return sparse.csr_matrix((values[filled], indices[filled], pointers), shape=(len(indices), n_columns))
