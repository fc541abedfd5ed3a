"""Weighted reciprocal-rank fusion of ranked lists; one implementation for serving and for training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedLists:
    """One ranked list for each of n queries, best first.

    Attributes
    ----------
    items : int32, shape (n, k)
        Item indices; 0 pads at the end of a row.
    scores : float32, shape (n, k)
        Falling along a row; 0 where padded.
    """

    items: IndexArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.items)

    def head(self, k: int) -> RankedLists:
        """Return the best ``k`` of each list."""
        return RankedLists(items=self.items[:, :k], scores=self.scores[:, :k])

    def take(self, rows: NDArray[np.int64]) -> RankedLists:
        """Return the lists of these queries, in this order."""
        return RankedLists(items=self.items[rows], scores=self.scores[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionWeights:
    """score(item) = Σ over the sources that name it of ``weight / (k + rank)``, ranks from 1."""

    weights: Mapping[str, float]
    k: float


def fuse(sources: Mapping[str, RankedLists], fusion: FusionWeights, *, n: int) -> RankedLists:
    """Fuse the sources' lists and keep the ``n`` best of each query; ties go to the lower item index.

    Sources without a weight are left out, so that a placement may offer more sources than were tuned.

    References
    ----------
    Cormack, Clarke & Büttcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.
    """
    used = [name for name in sources if fusion.weights.get(name, 0.0) > 0]
    if not used:
        n_queries = len(next(iter(sources.values()))) if sources else 0
        return RankedLists(items=np.zeros((n_queries, n), np.int32), scores=np.zeros((n_queries, n), np.float32))
    items = np.concatenate([sources[name].items for name in used], axis=1)
    gains = np.concatenate(
        [
            np.float32(fusion.weights[name])
            / (np.float32(fusion.k) + np.arange(1, sources[name].items.shape[1] + 1, dtype=np.float32))
            for name in used
        ]
    )
    queries = np.repeat(np.arange(len(items), dtype=np.int64), items.shape[1])
    keys = (queries << 32) | items.ravel()
    pairs, inverse = np.unique(keys, return_inverse=True)
    sums = np.bincount(inverse, weights=np.tile(gains, len(items))).astype(np.float32)
    listed = (pairs & 0xFFFFFFFF) > 0
    return best_of_each(
        pairs[listed] >> 32,
        (pairs[listed] & 0xFFFFFFFF).astype(np.int32),
        sums[listed],
        n_queries=len(items),
        k=n,
    )


def best_of_each(
    queries: NDArray[np.int64], items: IndexArray, scores: FloatArray, *, n_queries: int, k: int
) -> RankedLists:
    """Turn (query, item, score) rows into lists of the ``k`` best; ties go to the lower item index."""
    order = np.lexsort((items, -scores, queries))
    queries, items, scores = queries[order], items[order], scores[order]
    starts = np.searchsorted(queries, np.arange(n_queries))
    positions = np.arange(len(queries)) - starts[queries]
    kept = positions < k
    lists = RankedLists(items=np.zeros((n_queries, k), np.int32), scores=np.zeros((n_queries, k), np.float32))
    lists.items[queries[kept], positions[kept]] = items[kept]
    lists.scores[queries[kept], positions[kept]] = scores[kept]
    return lists
