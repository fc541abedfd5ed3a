"""One training run: split by time, tune, train the ranker, measure, fit again on everything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import lightgbm
import numpy as np
from threadpoolctl import threadpool_limits

from recommendations.fusion import FloatArray, FusionWeights, IndexArray, RankedLists, fuse
from recommendations.ranking import CANDIDATES_PER_SOURCE, COLUMNS
from recommendations.training.batch import score_popularity, score_recents
from recommendations.training.dataset import InvalidDataset, SessionLog, popularity_vocabulary
from recommendations.training.evaluate import PredictIds, by_index, evaluate
from recommendations.training.fit_fusion import START, fit_fusion
from recommendations.training.fit_ranker import as_ranker, rank_lists, train_booster, training_rows
from recommendations.training.fit_sources import FittedSources, fit_sources, list_sources
from recommendations.training.fitted import FittedModelSet
from recommendations.training.history import Known, Orders
from recommendations.training.items import ItemFacts, profits_of
from recommendations.training.label_weights import Impressions, examination, label_weights, parameters_of
from recommendations.training.metrics import Metrics, measure
from recommendations.training.settings import Progress, RankerParameters, TrainingSettings, no_progress
from recommendations.training.split import (
    TestPoints,
    points_at_every_position,
    split_after,
    split_by_time,
    spread,
)
from recommendations.training.tune import tuned_parameters

MIN_SESSIONS = 20
MIN_POINTS = 100  # below this, which of two predictors is ahead is chance
RANKER_SOURCES = tuple(CANDIDATES_PER_SOURCE)
DEFAULT_FUSION = FusionWeights(weights=START, k=3.0)
FUSED_SOURCES = ("sessions", "tfidf", "covisitation", "next", "walk", "around", "factors", "als")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on the held-out time, by predictor; empty without one."""

    by_predictor: Mapping[str, Metrics]
    points: TestPoints | None
    item_ids: tuple[str, ...]

    def flat(self) -> dict[str, dict[str, float]]:
        """Return predictor → metric → value, parts of the points as ``hr@20|length=2-3``, ``hr@20|segment=new``."""
        flat = {}
        for name, metrics in self.by_predictor.items():
            values = {"points": float(metrics.n), **metrics.values}
            for band, found in metrics.by_length.items():
                values |= {f"{key}|length={band}": value for key, value in found.items()}
            for segment, found in metrics.by_segment.items():
                values |= {f"{key}|segment={segment}": value for key, value in found.items()}
            flat[name] = values
        return flat


def train_model_set(
    dataset: SessionLog,
    *,
    settings: TrainingSettings | None = None,
    progress: Progress = no_progress,
    catalogue: Iterable[str] = (),
    rivals: Mapping[str, PredictIds] | None = None,
    items: Mapping[str, ItemFacts] | None = None,
    impressions: Impressions | None = None,
    tuning_storage: Path | None = None,
) -> FittedModelSet:
    """Train the default model set.

    1. The newest sessions are held out for metrics, and the newest of the rest for validation.
    2. Sources are fitted on what is before validation; fusion weights are tuned and the ranker is trained on it.
    3. Sources are fitted on all that is before the held-out time, and everything is measured on it.
    4. Sources are fitted once more on all sessions (``settings.refit``) and handed over.

    Nothing that was learned in 2 depends on an item's index, so it holds for the sources of 3 and 4.

    Parameters
    ----------
    dataset : SessionLog
    progress : called with (step, done, total)
    catalogue : item ids
        Items without a session get an index too, so that the graphs can hide or boost them.
    rivals : predictors by name, from item ids to item ids
        Measured on the same points and under their own names: the live version, for the gate.
    items : facts by item id
        Prices, categories and brands for the ranker, and what margins are computed from.
    impressions : Impressions, optional
        What was shown and clicked where; needed for ``settings.position_clip``.
    tuning_storage : Path, optional
        SQLite file of the parameter search; a run on the same data goes on with it.

    Raises
    ------
    InvalidDataset
        There are too few sessions, or none with two items to learn what follows what.
    """
    settings = settings or TrainingSettings()
    with threadpool_limits(settings.num_threads):
        return _trained(
            dataset,
            settings=settings,
            progress=progress,
            catalogue=tuple(catalogue),
            rivals=rivals or {},
            beside=_Beside(
                items=items or {},
                looked=examination(impressions) if impressions is not None else None,
                tuning_storage=tuning_storage,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """What is known beside the log."""

    items: Mapping[str, ItemFacts]
    looked: FloatArray | None
    tuning_storage: Path | None


def _trained(
    dataset: SessionLog,
    *,
    settings: TrainingSettings,
    progress: Progress,
    catalogue: tuple[str, ...],
    rivals: Mapping[str, PredictIds],
    beside: _Beside,
) -> FittedModelSet:
    if len(dataset) < MIN_SESSIONS or int(dataset.lengths.max(initial=0)) < 2:
        raise InvalidDataset(
            f"{len(dataset)} sessions with at most {int(dataset.lengths.max(initial=0))} interactions each are too few;"
            f" {MIN_SESSIONS} sessions, some of two or more, are the least that can be trained on."
        )
    first = int(np.searchsorted(dataset.offsets, len(dataset.items) - settings.max_interactions))
    dataset = dataset.between(first, len(dataset))
    known, held_out = _held_out(dataset, settings)
    earlier, validation = split_by_time(known, held_out=settings.validation)

    tuned = _tuned(known, earlier, validation, beside=beside, settings=settings, progress=progress)
    log = known.reindexed(popularity_vocabulary(known, catalogue=catalogue))
    fitted = fit_sources(log, settings=settings, items=beside.items, progress=progress)
    measured = Measured(by_predictor={}, points=None, item_ids=log.item_ids)
    if held_out is not None:
        measured = _measured(
            fitted, log, held_out, tuned, dataset=dataset, rivals=rivals, settings=settings, progress=progress
        )
        if settings.refit:
            log = dataset.reindexed(popularity_vocabulary(dataset, catalogue=catalogue))
            fitted = fit_sources(log, settings=settings, items=beside.items, progress=progress, label="fit on all")
    booster, use_ranker = tuned.booster, _ranker_wins(measured)
    return FittedModelSet(
        item_ids=log.item_ids,
        als=fitted.als,
        neighbours=fitted.neighbours,
        sessions=fitted.sessions,
        popularity=fitted.popularity,
        fusion=tuned.fusion,
        ranker=as_ranker(booster, fitted.tables) if booster is not None and use_ranker else None,
        metrics=measured.flat(),
        data_range=log.data_range(),
        seeds={"training": settings.seed},
        parameters={
            "settings": {
                name: float(value) for name, value in asdict(settings).items() if isinstance(value, int | float)
            },
            "fusion": {**tuned.fusion.weights, "k": tuned.fusion.k},
            "ranker": {name: float(value) for name, value in asdict(tuned.parameters).items()},
            "examination": parameters_of(beside.looked),
        },
    )


def _held_out(dataset: SessionLog, settings: TrainingSettings) -> tuple[SessionLog, SessionLog | None]:
    if settings.held_out_after_ms is not None:
        return split_after(dataset, after_ms=settings.held_out_after_ms)
    return split_by_time(dataset, held_out=settings.held_out) if settings.held_out else (dataset, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tuned:
    fusion: FusionWeights
    booster: lightgbm.Booster | None
    parameters: RankerParameters


def _tuned(
    known: SessionLog,
    earlier: SessionLog,
    validation: SessionLog,
    *,
    beside: _Beside,
    settings: TrainingSettings,
    progress: Progress,
) -> _Tuned:
    item_ids = popularity_vocabulary(earlier)
    log = earlier.reindexed(item_ids)
    points = points_at_every_position(validation.reindexed(item_ids))
    points = points.take(np.arange(max(len(points) - settings.max_queries, 0), len(points)))
    if not len(points):
        return _Tuned(fusion=DEFAULT_FUSION, booster=None, parameters=settings.ranker)
    fitted = fit_sources(log, settings=settings, items=beside.items, progress=progress, label="fit for validation")
    lists = list_sources(fitted, points.prefixes, names=RANKER_SOURCES, progress=progress, label="list for validation")

    chosen = spread(len(points), settings.tuning_queries)
    sample = points.take(chosen)
    fused = {name: lists[name].take(chosen) for name in FUSED_SOURCES if name in lists}
    fused |= list_sources(fitted, sample.prefixes, names=("als",), progress=progress, label="list for tuning")
    fusion = fit_fusion(fused, sample, progress=progress)
    rows = training_rows(
        lists,
        points,
        fitted.tables,
        known=Known.before(points, log=known.reindexed(item_ids), orders=Orders(known)),
        weights=label_weights(points, settings=settings, profits=profits_of(log, beside.items), looked=beside.looked),
        min_queries=settings.min_queries,
        progress=progress,
    )
    if rows is None:
        return _Tuned(fusion=fusion, booster=None, parameters=settings.ranker)
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
    return _Tuned(fusion=fusion, booster=booster, parameters=parameters)


def _study_name(log: SessionLog, settings: TrainingSettings) -> str:
    """Return a name of the data and of all that trials on it depend on."""
    fixed = replace(settings, tune_minutes=0.0, num_threads=1, ranker=RankerParameters())
    digest = hashlib.sha256(repr((COLUMNS, fixed, log.item_ids)).encode())
    for array in (log.items, log.kinds, log.offsets):
        digest.update(array.tobytes())
    return f"ranker-{digest.hexdigest()[:24]}"


def _measured(
    fitted: FittedSources,
    log: SessionLog,
    held_out: SessionLog,
    tuned: _Tuned,
    *,
    dataset: SessionLog,
    rivals: Mapping[str, PredictIds],
    settings: TrainingSettings,
    progress: Progress,
) -> Measured:
    points = points_at_every_position(held_out.reindexed(log.item_ids))
    points = points.take(spread(len(points), settings.max_points))
    orders = Orders(dataset)
    names = RANKER_SOURCES
    if tuned.fusion.weights.get("als", 0.0) > 0:
        names = (*names, "als")
    lists = list_sources(fitted, points.prefixes, names=names, progress=progress, label="list held-out")
    ranked: dict[str, IndexArray] = {
        "popularity": score_popularity(fitted.popularity, points.prefixes, k=20).items,
        "last viewed": score_recents(points.prefixes, k=20).items,
        **{name: _top(lists[name]) for name in names if name != "popularity"},
        "fusion": fuse(lists, tuned.fusion, n=20).items,
    }
    if tuned.booster is not None:
        ranked["ranker"] = rank_lists(
            tuned.booster,
            lists,
            points,
            fitted.tables,
            known=Known.before(points, log=dataset.reindexed(log.item_ids), orders=orders),
            num_threads=settings.num_threads,
            progress=progress,
        )
    counts, segments = log.counts(), orders.segments_of(points)
    found = {name: measure(items, points, item_counts=counts, segments=segments) for name, items in ranked.items()}
    for name, predict in rivals.items():
        asked = evaluate(
            by_index(predict, log.item_ids), points, item_counts=counts, segments=segments, progress=progress
        )
        found[name] = asked.metrics
    return Measured(
        by_predictor=found,
        points=points,
        item_ids=log.item_ids,
    )


def _top(lists: RankedLists) -> IndexArray:
    return lists.items[:, :20]


def _ranker_wins(measured: Measured) -> bool:
    """Whether the ranker's MRR@20 is above fusion's on the held-out time; where too little was measured, it is used."""
    found = measured.by_predictor
    if "ranker" not in found or found["ranker"].n < MIN_POINTS:
        return True
    return found["ranker"].values["mrr@20"] > found["fusion"].values["mrr@20"]
