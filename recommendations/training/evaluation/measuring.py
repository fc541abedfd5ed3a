"""What is measured on the held-out time: every source, fusion, the ranker and all baselines on the same points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import lightgbm
import numpy as np

from recommendations.ranking.rrf import IndexArray, RankedLists, fuse
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.history import Known, Orders
from recommendations.training.data.split import TestPoints, points_at_every_position
from recommendations.training.evaluation.evaluate import PredictIds, by_index, evaluate
from recommendations.training.evaluation.metrics import Metrics, measure
from recommendations.training.fit.batch import score_popularity, score_recents
from recommendations.training.fit.objectives import Questions, measured_objectives
from recommendations.training.fit.ranker import rank_lists
from recommendations.training.fit.sources import Fit, list_sources
from recommendations.training.fitted import LearntObjective
from recommendations.training.learning import RANKER_SOURCES, Learnt, recent_part
from recommendations.training.settings import Progress, TrainingSettings

MIN_POINTS = 100  # below this, which of two predictors is ahead is chance

OpenBaseline = Callable[[], PredictIds | None]
"""Opens a baseline when it is measured, so that memory holds one at a time; None where it cannot be opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Metrics by predictor, and the objectives with how right their chances were; empty without a held-out time."""

    by_predictor: Mapping[str, Metrics] = field(default_factory=dict)
    objectives: Mapping[str, LearntObjective] = field(default_factory=dict)

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
        for name, learnt in self.objectives.items():
            if learnt.error is not None and "ranker" in flat:
                flat["ranker"][f"calibration_error|objective={name}"] = learnt.error
                flat["ranker"][f"rate|objective={name}"] = learnt.rate or 0.0
        return flat

    def ranker_wins(self) -> bool:
        """Return whether the ranker's MRR@20 is above fusion's; where too little was measured, it is used."""
        found = self.by_predictor
        if "ranker" not in found or found["ranker"].n < MIN_POINTS:
            return True
        return found["ranker"].values["mrr@20"] > found["fusion"].values["mrr@20"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What everything listed at the same points.

    Attributes
    ----------
    lists : mapping of source to its lists
        As deep as the ranker reads them.
    ranked : mapping of predictor to int32, shape (n_points, 20)
        The sources, ``last viewed``, ``fusion``, and ``ranker`` where one was learnt; best first, 0 pads.
    known : Known, optional
        What the ranker was told of users and popularity.
    """

    lists: Mapping[str, RankedLists]
    ranked: Mapping[str, IndexArray]
    known: Known | None = None
    booster: lightgbm.Booster | None = None


def measured_on(
    held_out: SessionLog,
    fit: Fit,
    learnt: Learnt,
    *,
    dataset: SessionLog,
    baselines: Mapping[str, OpenBaseline],
    settings: TrainingSettings,
    progress: Progress,
) -> Measured:
    """Measure everything on the held-out sessions.

    Parameters
    ----------
    fit : Fit
        Sources of all that is before the held-out time.
    dataset : SessionLog
        Everything: a user's orders and an item's popularity are known until the moment of each point.
    """
    log = held_out.reindexed(fit.item_ids)
    points = points_at_every_position(log, most=settings.max_points)
    sources, orders = fit.sources, Orders(dataset)
    listed = listed_on(points, fit, learnt, dataset=dataset, settings=settings, progress=progress)
    objectives: dict[str, LearntObjective] = {}
    if listed.booster is not None and listed.known is not None:
        questions = Questions(lists=listed.lists, points=points, tables=sources.tables, known=listed.known, log=log)
        objectives = measured_objectives(listed.booster, learnt.objectives, questions, settings=settings)
        del questions
    ranked = listed.ranked
    del listed
    counts, segments = sources.popularity.all_time.astype(np.int64), orders.segments_of(points)
    found = {name: measure(items, points, item_counts=counts, segments=segments) for name, items in ranked.items()}
    for name, opened in baselines.items():
        predict = opened()
        if predict is not None:
            asked = by_index(predict, fit.item_ids)
            found[name] = evaluate(asked, points, item_counts=counts, segments=segments, progress=progress).metrics
    return Measured(by_predictor=found, objectives=objectives)


def listed_on(
    points: TestPoints,
    fit: Fit,
    learnt: Learnt,
    *,
    dataset: SessionLog,
    settings: TrainingSettings,
    progress: Progress,
) -> Listed:
    """Ask each source, fusion and the ranker at each point; ``dataset`` is as in ``measured_on``."""
    sources, names = fit.sources, RANKER_SOURCES
    if learnt.fusion.weights.get("als", 0.0) > 0:
        names = (*names, "als")
    lists = list_sources(sources, points.histories, names=names, progress=progress, label="list held-out")
    ranked: dict[str, IndexArray] = {
        "popularity": score_popularity(sources.popularity, points.histories, k=20).items,
        "last viewed": score_recents(points.histories, k=20).items,
        **{name: lists[name].items[:, :20] for name in names if name != "popularity"},
        "fusion": fuse(lists, learnt.fusion, n=20).items,
    }
    if learnt.booster_text is None:
        return Listed(lists=lists, ranked=ranked)
    booster = lightgbm.Booster(model_str=learnt.booster_text)
    recent = recent_part(dataset, points).reindexed(fit.item_ids)
    known = Known.before(points, log=recent, orders=Orders(dataset))
    ranked["ranker"] = rank_lists(
        booster,
        lists,
        points,
        sources.tables,
        known=known,
        num_threads=settings.num_threads,
        progress=progress,
    )
    return Listed(lists=lists, ranked=ranked, known=known, booster=booster)
