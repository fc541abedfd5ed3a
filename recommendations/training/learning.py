"""What is learnt on the validation part, from sources that were fitted before it: fusion weights and the ranker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import lightgbm
import numpy as np

from recommendations.ranking.columns import CANDIDATES_PER_SOURCE, COLUMNS
from recommendations.ranking.rrf import FloatArray, FusionWeights
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.history import DAY_MS, Known, Orders
from recommendations.training.data.items import ItemFeatures, profits_of
from recommendations.training.data.label_weights import label_weights
from recommendations.training.data.split import TestPoints, points_at_every_position, spread
from recommendations.training.fit.fusion import START, fit_fusion
from recommendations.training.fit.objectives import Questions, learn_objectives
from recommendations.training.fit.ranker import train_booster, training_rows
from recommendations.training.fit.sources import Fit, list_sources
from recommendations.training.fit.tune import tuned_parameters
from recommendations.training.fitted import LearntObjective
from recommendations.training.settings import Progress, RankerParameters, TrainingSettings

RANKER_SOURCES = tuple(CANDIDATES_PER_SOURCE)
DEFAULT_FUSION = FusionWeights(weights=START, k=3.0)
FUSED_SOURCES = ("sessions", "tfidf", "covisitation", "next", "walk", "around", "factors", "als")
POPULARITY_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """Fusion weights, and the ranker as text; None where there were too few points for one.

    Neither depends on an item's index, so both hold for sources that are fitted on other sessions.
    """

    fusion: FusionWeights
    booster_text: str | None
    parameters: RankerParameters
    objectives: Mapping[str, LearntObjective] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known beside the log.

    Attributes
    ----------
    looked : float32, optional
        As ``label_weights.examination`` returns it.
    tuning_storage : Path, optional
        SQLite file of the parameter search.
    """

    items: Mapping[str, ItemFeatures]
    looked: FloatArray | None
    tuning_storage: Path | None


def learn(
    known: SessionLog,
    validation: SessionLog,
    fit_earlier: Callable[[], Fit],
    *,
    beside: Beside,
    settings: TrainingSettings,
    progress: Progress,
) -> Learnt:
    """Tune the fusion and train the ranker on the validation part of ``known``.

    Parameters
    ----------
    fit_earlier : callable
        Returns sources of what is before the validation part; only the ranker's tables of them are kept for long.
    """
    fit = fit_earlier()
    log = validation.reindexed(fit.item_ids)
    points = points_at_every_position(log, newest=settings.max_queries)
    if not len(points):
        return Learnt(fusion=DEFAULT_FUSION, booster_text=None, parameters=settings.ranker)
    lists = list_sources(
        fit.sources, points.histories, names=RANKER_SOURCES, progress=progress, label="list for validation"
    )
    chosen = spread(len(points), settings.tuning_queries)
    sample = points.take(chosen)
    fused = {name: lists[name].take(chosen) for name in FUSED_SOURCES if name in lists}
    fused |= list_sources(fit.sources, sample.histories, names=("als",), progress=progress, label="list for tuning")
    item_ids, tables = fit.item_ids, fit.sources.tables
    del fit
    fusion = fit_fusion(fused, sample, progress=progress)
    recent = recent_part(known, points).reindexed(item_ids)
    before = Known.before(points, log=recent, orders=Orders(known))
    rows = training_rows(
        lists,
        points,
        tables,
        known=before,
        weights=label_weights(
            points, settings=settings, profits=profits_of(recent, beside.items), looked=beside.looked
        ),
        log=log,
        min_queries=settings.min_queries,
        progress=progress,
    )
    if rows is None:
        return Learnt(fusion=fusion, booster_text=None, parameters=settings.ranker)
    parameters = settings.ranker
    if settings.tune_minutes:
        parameters = tuned_parameters(
            rows,
            settings=settings,
            study_name=_study_name(known, settings),
            storage=beside.tuning_storage,
            progress=progress,
        )
    booster = train_booster(rows, parameters, settings=settings, progress=progress)
    text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    questions = Questions(lists=lists, points=points, tables=tables, known=before, log=log)
    objectives = learn_objectives(lightgbm.Booster(model_str=text), rows, questions, settings=settings)
    return Learnt(fusion=fusion, booster_text=text, parameters=parameters, objectives=objectives)


def recent_part(log: SessionLog, points: TestPoints) -> SessionLog:
    """Return the sessions that popularity before these points may count: a week, instead of a year, is sorted."""
    if points.asked_at_ms is None or not len(points):
        return log
    first = np.searchsorted(log.ended_at_ms, points.asked_at_ms.min() - POPULARITY_DAYS * DAY_MS)
    return log.between(int(first), len(log))


def _study_name(log: SessionLog, settings: TrainingSettings) -> str:
    """Return a name of the data and of all that trials on it depend on."""
    fixed = replace(settings, tune_minutes=0.0, num_threads=1, ranker=RankerParameters())
    digest = hashlib.sha256(repr((COLUMNS, fixed, log.item_ids)).encode())
    for array in (log.items, log.kinds, log.offsets):
        digest.update(np.ascontiguousarray(array).data)
    return f"ranker-{digest.hexdigest()[:24]}"
