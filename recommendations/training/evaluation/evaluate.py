"""Evaluation of any predictor on held-out points: the serving pipeline, one source, or a baseline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.split import TestPoints
from recommendations.training.evaluation.metrics import Metrics, measure
from recommendations.training.settings import Progress, no_progress

Predict = Callable[[IndexArray], Sequence[int]]
"""From the item indices of a history, oldest first, to ranked item indices, best first."""

PredictIds = Callable[[Sequence[str]], Sequence[str]]
"""The same in item ids: what serving answers."""

REPORT_EVERY = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Metrics, and how long a request took in this process."""

    metrics: Metrics
    p50_ms: float
    p99_ms: float


def by_index(predict: PredictIds, item_ids: tuple[str, ...]) -> Predict:
    """Let a predictor of item ids answer in indices; ids that ``item_ids`` lacks keep their rank and cannot hit."""
    index_of = {item_id: index for index, item_id in enumerate(item_ids)}

    def predict_indices(history: IndexArray) -> list[int]:
        return [index_of.get(item_id, 0) for item_id in predict([item_ids[index] for index in history])]

    return predict_indices


def points_from_ids(points: Sequence[tuple[Sequence[str], str]], item_ids: tuple[str, ...]) -> TestPoints:
    """Return test points given as ids; unknown items of a history are left out, an unknown target becomes 0."""
    index_of = {item_id: index for index, item_id in enumerate(item_ids) if index}
    histories = [[index_of[item_id] for item_id in history if item_id in index_of] for history, _ in points]
    return TestPoints(
        histories=SessionHistories.of(histories),
        targets=np.array([index_of.get(target, 0) for _, target in points], np.int32),
        kinds=np.zeros(len(points), np.uint8),
    )


def evaluate(
    predict: Predict,
    points: TestPoints,
    *,
    item_counts: NDArray[np.int64],
    segments: NDArray[np.str_] | None = None,
    k: int = 20,
    progress: Progress = no_progress,
) -> Evaluation:
    """Ask ``predict`` for each point, one by one as a shop would, and measure what it lists.

    A history without any known item is asked with an empty array: what a predictor answers then counts like any
    other answer. Lists longer than ``k`` are cut, shorter ones are padded.
    """
    ranked = np.zeros((len(points), k), np.int32)
    took_ms = np.zeros(len(points))
    for row in range(len(points)):
        history = points.histories[row]
        started = time.perf_counter()
        answer = predict(history)
        took_ms[row] = (time.perf_counter() - started) * 1000
        ranked[row, : min(k, len(answer))] = np.asarray(answer[:k], np.int32)
        if row % REPORT_EVERY == 0:
            progress("evaluate", row, len(points))
    progress("evaluate", len(points), len(points))
    return Evaluation(
        metrics=measure(ranked, points, item_counts=item_counts, segments=segments),
        p50_ms=float(np.median(took_ms)) if len(points) else 0.0,
        p99_ms=float(np.percentile(took_ms, 99)) if len(points) else 0.0,
    )
