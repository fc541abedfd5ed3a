"""One training run on Spark: split by time, tune the fusion, measure, fit again on everything; without a ranker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import numpy as np

from recommendations.ranking.rrf import FusionWeights, IndexArray, fuse
from recommendations.training.data.dataset import InvalidDataset
from recommendations.training.data.split import TestPoints, points_at_every_position, spread
from recommendations.training.evaluation.evaluate import by_index, evaluate
from recommendations.training.evaluation.measuring import Measured, OpenBaseline
from recommendations.training.evaluation.metrics import measure
from recommendations.training.fit.batch import score_recents
from recommendations.training.fit.fusion import fit_fusion
from recommendations.training.fitted import FittedModelSet
from recommendations.training.learning import DEFAULT_FUSION, FUSED_SOURCES
from recommendations.training.settings import Progress, TrainingSettings, no_progress
from recommendations.training.spark.log import SparkLog
from recommendations.training.spark.sources import SparkSources, fit_sources_on_spark
from recommendations.training.train import MIN_SESSIONS

MAX_SESSIONS = 2_000_000


def train_on_spark(
    log: SparkLog,
    *,
    settings: TrainingSettings | None = None,
    catalogue: Iterable[str] = (),
    baselines: Mapping[str, OpenBaseline] | None = None,
    max_sessions: int = MAX_SESSIONS,
    progress: Progress = no_progress,
) -> FittedModelSet:
    """Train what ``train_model_set`` trains, but for the ranker; steps, splits and metrics are the same.

    Validation and held-out time are measured on a sample that comes to the driver: ``settings.tuning_queries`` and
    ``settings.max_points`` sessions at most.

    Raises
    ------
    InvalidDataset
        There are too few sessions, or one side of the split is empty.
    """
    settings, catalogue, baselines = settings or TrainingSettings(), tuple(catalogue), baselines or {}
    if len(log) < MIN_SESSIONS:
        raise InvalidDataset(f"{len(log)} sessions are too few; {MIN_SESSIONS} are the least that can be trained on.")
    n_known = _known(log, settings)
    known, held_out = log.between(0, n_known), log.between(n_known, len(log))
    n_earlier = n_known - round(n_known * settings.validation)
    if not 0 < n_earlier < n_known:
        raise InvalidDataset(f"{n_known} sessions are too few to tune on {settings.validation:.0%} of them.")

    def fit(part: SparkLog, label: str, items: tuple[str, ...] = ()) -> SparkSources:
        return fit_sources_on_spark(
            part, settings=settings, max_sessions=max_sessions, catalogue=items, progress=progress, label=label
        )

    fusion = _tuned(
        fit(known.between(0, n_earlier), "fit for validation"), known.between(n_earlier, n_known), settings, progress
    )
    fitted = fit(known, "fit", catalogue)
    metrics: Mapping[str, Mapping[str, float]] = {}
    if len(held_out):
        metrics = _measured(fitted, held_out, fusion, baselines, settings, progress).flat()
        if settings.refit:
            fitted = fit(log, "fit on all", catalogue)
    return FittedModelSet(
        item_ids=fitted.item_ids,
        als=fitted.als,
        neighbours=fitted.neighbours,
        sessions=fitted.sessions,
        popularity=fitted.popularity,
        fusion=fusion,
        ranker=None,
        metrics=metrics,
        data_range=(log if settings.refit or not len(held_out) else known).data_range(),
        seeds={"training": settings.seed},
        parameters={
            "settings": {
                name: float(value) for name, value in asdict(settings).items() if isinstance(value, int | float)
            },
            "fusion": {**fusion.weights, "k": fusion.k},
            "spark": {"max_sessions": float(max_sessions)},
        },
    )


def _known(log: SparkLog, settings: TrainingSettings) -> int:
    """Return how many sessions are not held out."""
    if settings.held_out_after_ms is None:
        return len(log) - round(len(log) * settings.held_out)
    n_known = log.ended_by(settings.held_out_after_ms)
    if not 0 < n_known < len(log):
        raise InvalidDataset(
            f"All {len(log)} sessions ended {'up to' if n_known else 'after'} {settings.held_out_after_ms} ms: one side"
            " of the split is empty. Train again when there are newer sessions, or hold out a share."
        )
    return n_known


def _tuned(fitted: SparkSources, validation: SparkLog, settings: TrainingSettings, progress: Progress) -> FusionWeights:
    points = points_at_every_position(validation.newest(settings.tuning_queries).collected(fitted.item_ids))
    points = points.take(spread(len(points), settings.tuning_queries))
    if not len(points):
        return DEFAULT_FUSION
    lists = {name: found for name, found in fitted.lists(points.histories).items() if name in FUSED_SOURCES}
    return fit_fusion(lists, points, progress=progress)


def _measured(
    fitted: SparkSources,
    held_out: SparkLog,
    fusion: FusionWeights,
    baselines: Mapping[str, OpenBaseline],
    settings: TrainingSettings,
    progress: Progress,
) -> Measured:
    every = -(-len(held_out) // settings.max_points)
    points: TestPoints = points_at_every_position(held_out.collected(fitted.item_ids, every=every))
    points = points.take(spread(len(points), settings.max_points))
    lists = fitted.lists(points.histories)
    ranked: dict[str, IndexArray] = {
        "last viewed": score_recents(points.histories, k=20).items,
        **{name: found.items[:, :20] for name, found in lists.items()},
        "fusion": fuse(lists, fusion, n=20).items,
    }
    counts = fitted.popularity.all_time.astype(np.int64)
    found = {name: measure(items, points, item_counts=counts) for name, items in ranked.items()}
    for name, opened in baselines.items():
        predict = opened()
        if predict is not None:
            asked = evaluate(by_index(predict, fitted.item_ids), points, item_counts=counts, progress=progress)
            found[name] = asked.metrics
    return Measured(by_predictor=found)
