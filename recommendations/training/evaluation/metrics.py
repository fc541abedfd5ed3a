"""Ranking metrics over the full catalogue: what evaluation, the gate and the benchmark all print."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.split import TestPoints

CUTOFFS = (10, 20)
LENGTH_BANDS: tuple[tuple[int, int], ...] = ((1, 1), (2, 3), (4, 7), (8, 10**9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a predictor scored on test points.

    Attributes
    ----------
    values : dict of name to value
        ``hr@10 mrr@10 ndcg@10 hr@20 mrr@20 ndcg@20``; ``new_hr@20``, of the points whose target was not in the
        history; ``repeat_hr@20``, of the others; ``coverage@20``, the share of the catalogue ever listed;
        ``popularity_share@20``, the mean count of what was listed over the greatest count;
        ``repeat_share@20``, the share of listed items that were in the history; ``unknown_target_share``.
    by_length : dict of band of history lengths to its ``hr@20`` and ``mrr@20`` and number of points
    by_segment : the same by RFM segment of the user; empty for a log without orders
    """

    n: int
    values: dict[str, float]
    by_length: dict[str, dict[str, float]]
    by_segment: dict[str, dict[str, float]] = field(default_factory=dict)


def ranks_of_targets(ranked: IndexArray, targets: IndexArray) -> NDArray[np.int64]:
    """Return the rank, from 1, of each target in its list; 0 where it is missing.

    >>> ranks_of_targets(np.array([[3, 1], [2, 0], [0, 0]], np.int32), np.array([1, 2, 0], np.int32)).tolist()
    [2, 1, 0]
    """
    hits = (ranked == targets[:, None]) & (targets[:, None] > 0)
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


def measure(
    ranked: IndexArray,
    points: TestPoints,
    *,
    item_counts: NDArray[np.int64],
    segments: NDArray[np.str_] | None = None,
) -> Metrics:
    """Measure ranked lists against what came next.

    Parameters
    ----------
    ranked : int32, shape (n, ≥ 20)
        Best first, 0 pads.
    item_counts : int64, shape (n_items,)
        Interactions of each item in the training part, the padding row included.
    segments : str, shape (n,), optional
        The user's segment at each point.
    """
    ranks = ranks_of_targets(ranked[:, : max(CUTOFFS)], points.targets)
    is_new = points.is_new()
    values: dict[str, float] = {}
    for cutoff in CUTOFFS:
        hit = (ranks > 0) & (ranks <= cutoff)
        safe = np.maximum(ranks, 1)
        values[f"hr@{cutoff}"] = _mean(hit)
        values[f"mrr@{cutoff}"] = _mean(np.where(hit, 1 / safe, 0.0))
        values[f"ndcg@{cutoff}"] = _mean(np.where(hit, 1 / np.log2(safe + 1), 0.0))
    top = ranked[:, :20]
    listed = top > 0
    values["new_hr@20"] = _mean(ranks[is_new] > 0)
    values["repeat_hr@20"] = _mean(ranks[~is_new] > 0)
    values["coverage@20"] = len(np.unique(top[listed])) / max(len(item_counts) - 1, 1)
    values["popularity_share@20"] = _mean(item_counts[top[listed]] / max(int(item_counts.max()), 1))
    values["repeat_share@20"] = _repeat_share(top, points)
    values["unknown_target_share"] = _mean(points.targets == 0)
    return Metrics(
        n=len(points),
        values=values,
        by_length=_by_length(ranks, points),
        by_segment={}
        if segments is None
        else {str(name): _part(ranks[segments == name]) for name in np.unique(segments)},
    )


def _by_length(ranks: NDArray[np.int64], points: TestPoints) -> dict[str, dict[str, float]]:
    lengths = points.histories.lengths
    bands = {}
    for low, high in LENGTH_BANDS:
        chosen = (lengths >= low) & (lengths <= high)
        name = str(low) if low == high else f"{low}-{high}" if high < 10**9 else f"{low}+"
        bands[name] = _part(ranks[chosen])
    return bands


def _part(ranks: NDArray[np.int64]) -> dict[str, float]:
    reciprocal = np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0)
    return {"points": float(len(ranks)), "hr@20": _mean(ranks > 0), "mrr@20": _mean(reciprocal)}


def _repeat_share(top: IndexArray, points: TestPoints) -> float:
    queries, items = points.histories.query_of.astype(np.int64), points.histories.items
    seen = np.unique((queries << 32) | items)
    keys = (np.arange(len(top), dtype=np.int64)[:, None] << 32) | top
    return _mean(np.isin(keys[top > 0], seen))


def _mean(values: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    """Return the mean, and 0 for none: a shop without repeats has no repeat rate to report."""
    return float(np.mean(values)) if len(values) else 0.0
