"""The nearest vectors of each vector: all of them for small catalogues, those of near cells for large ones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.training.fitted import FloatArray, IndexArray
from recommendations.training.settings import Progress, no_progress

EXACT_UP_TO: Final = 30_000
"""Vectors that are all compared; above it, 400 million products a thousand vectors would take hours."""

PROBES: Final = 12
ROUNDS: Final = 6
_BATCH: Final = 1_024
_NOBODY: Final = np.int32(-1)


def nearest(
    vectors: NDArray[np.float16] | FloatArray,
    *,
    k: int,
    least: float = 0.05,
    seed: int = 0,
    exact_up_to: int = EXACT_UP_TO,
    progress: Progress = no_progress,
) -> tuple[IndexArray, NDArray[np.float16]]:
    """Return the most similar vectors of each, best first, ties by index; a vector is not its own neighbour.

    Above ``exact_up_to``, vectors are grouped around √n of them (spherical k-means on a sample) and each is compared
    with its ``PROBES`` nearest cells, in which some 95 of 100 of its nearest are.

    Parameters
    ----------
    vectors : float16 or float32, shape (n, d)
        Of length 1, or 0 for items of which nothing is known: those have no neighbours.
    least : float
        Cosine below which two are not alike.

    Returns
    -------
    neighbours : int32, shape (n, k)
        -1 behind the last one.
    similarity : float16, shape (n, k)
        Cosine; 0 behind the last one.
    """
    n = len(vectors)
    neighbours = np.full((n, k), _NOBODY, np.int32)
    similarity = np.zeros((n, k), np.float16)
    if n <= exact_up_to:
        everyone = np.asarray(vectors, np.float32)
        for start in range(0, n, _BATCH):
            progress("find similar items", start, n)
            rows = np.arange(start, min(start + _BATCH, n))
            _write_best(neighbours, similarity, rows, everyone[rows] @ everyone.T, np.arange(n), least=least)
        progress("find similar items", n, n)
        return neighbours, similarity
    centres, cell_of = _cells(vectors, seed=seed)
    members = np.argsort(cell_of, kind="stable")
    starts = np.searchsorted(cell_of[members], np.arange(len(centres) + 1))
    near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :PROBES]
    for cell in range(len(centres)):
        if cell % 32 == 0:
            progress("find similar items", cell, len(centres))
        own = members[starts[cell] : starts[cell + 1]]
        others = np.sort(np.concatenate([members[starts[other] : starts[other + 1]] for other in near[cell]]))
        compared = np.asarray(vectors[others], np.float32)
        for start in range(0, len(own), _BATCH):
            rows = own[start : start + _BATCH]
            scores = np.asarray(vectors[rows], np.float32) @ compared.T
            _write_best(neighbours, similarity, rows, scores, others, least=least)
    progress("find similar items", len(centres), len(centres))
    return neighbours, similarity


def _cells(vectors: NDArray[np.float16] | FloatArray, *, seed: int) -> tuple[FloatArray, IndexArray]:
    """Return the centres of cells, float32, and the cell of each vector."""
    chance = np.random.default_rng(seed)
    n = len(vectors)
    n_cells = int(np.sqrt(n))
    sample = np.asarray(vectors[np.sort(chance.choice(n, min(n, 40 * n_cells), replace=False))], np.float32)
    centres = sample[np.sort(chance.choice(len(sample), n_cells, replace=False))]
    for _ in range(ROUNDS):
        cell = _closest(sample, centres)
        order = np.argsort(cell, kind="stable")
        filled, first = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(sample[order], first, axis=0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = centres.copy()
        centres[filled] = sums / np.where(lengths > 1e-12, lengths, 1)
    return centres, _closest(vectors, centres)


def _closest(vectors: NDArray[np.float16] | FloatArray, centres: FloatArray) -> IndexArray:
    closest = np.empty(len(vectors), np.int32)
    for start in range(0, len(vectors), _BATCH):
        part = np.asarray(vectors[start : start + _BATCH], np.float32)
        closest[start : start + _BATCH] = np.argmax(part @ centres.T, axis=1)
    return closest


def _write_best(
    neighbours: IndexArray,
    similarity: NDArray[np.float16],
    rows: NDArray[np.int64],
    scores: FloatArray,
    others: NDArray[np.int64],
    *,
    least: float,
) -> None:
    """Write the best of ``others`` (rising) for each of ``rows``; ``scores`` is overwritten."""
    own = np.searchsorted(others, rows)
    is_there = (own < len(others)) & (others[np.minimum(own, len(others) - 1)] == rows)
    scores[np.flatnonzero(is_there), own[is_there]] = -np.inf
    k = min(neighbours.shape[1], scores.shape[1])
    if k < scores.shape[1]:
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
    else:
        best = np.broadcast_to(np.arange(k), (len(rows), k)).copy()
    best.sort(axis=1)
    values = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    is_alike = values >= least
    neighbours[rows, :k] = np.where(is_alike, others[best], _NOBODY)
    similarity[rows, :k] = np.where(is_alike, values, 0)
