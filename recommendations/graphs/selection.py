"""The best k of many scores, in half of TopK's time; the same items, the same order, the same ties."""

from __future__ import annotations

import numpy as np

from recommendations.graphs.builder import GraphBuilder

GROUP = 32
ROW_MULTIPLE = GROUP
_WORTH_GROUPING = 16_384  # scores; below that, TopK alone is as fast


def padded_rows(n_rows: int) -> int:
    """Return the number of rows that tables are filled up to, so that groups come out even."""
    return -(-n_rows // ROW_MULTIPLE) * ROW_MULTIPLE if n_rows >= _WORTH_GROUPING else n_rows


def best_of(g: GraphBuilder, scores: str, k: str, *, n_scores: int) -> tuple[str, str]:
    """Return the k best scores along the last axis, falling, and their places; the lower place wins a tie.

    Groups of neighbouring scores are reduced to their greatest; the k best groups hold the k best scores, because
    each of them has a score that beats everything in a group left out (or equals it at a lower place). TopK then
    reads a thirtieth of the scores: 197 instead of 433 µs for 1M of them, 60 instead of 130 for 131k.

    Parameters
    ----------
    scores : float32, shape (n_scores,) or (B, n_scores)
    k : int64, shape (1,), at most n_scores
    """
    if n_scores < _WORTH_GROUPING or n_scores % GROUP:
        best_score, best_index = g.ops("TopK", scores, k, outputs=2, axis=-1)
        return best_score, best_index
    n_groups = n_scores // GROUP
    rank = g.op("Shape", scores)  # [n] or [B, n]
    leading = g.op("Slice", rank, g.ints(0), g.ints(-1))
    grouped = g.op("Reshape", scores, g.op("Concat", leading, g.ints(n_groups, GROUP), axis=0))
    greatest = g.op("ReduceMax", grouped, g.ints(-1), keepdims=0)
    kept = g.op("Min", k, g.ints(n_groups))
    _, groups = g.ops("TopK", greatest, kept, outputs=2, axis=-1)
    # In the order of places, so that the last TopK sees equal scores with the lower place first.
    groups, _ = g.ops("TopK", groups, kept, outputs=2, axis=-1, largest=0)
    first = g.op("Unsqueeze", g.op("Mul", groups, g.ints(GROUP)), g.ints(-1))
    positions = g.op("Add", first, g.constant(np.arange(GROUP, dtype=np.int64)))
    positions = g.op("Reshape", positions, g.op("Concat", leading, g.ints(-1), axis=0))
    best_score, position = g.ops("TopK", g.op("GatherElements", scores, positions, axis=-1), k, outputs=2, axis=-1)
    return best_score, g.op("GatherElements", positions, position, axis=-1)
