"""Our own lists: the model set as it is trained for a shop, asked at each test point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from recommendations.ranking.batch import RankingTables
from recommendations.ranking.columns import CANDIDATES_PER_SOURCE
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.split import TestPoints, points_at_every_position
from recommendations.training.evaluation.measuring import listed_on
from recommendations.training.fit.sources import Fit, FittedSources, list_sources
from recommendations.training.fitted import FittedModelSet
from recommendations.training.learning import RANKER_SOURCES, Learnt
from recommendations.training.settings import Progress, TrainingSettings
from recommendations.training.train import train_model_set


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a log, cut in two by time; the three logs have one vocabulary.

    Attributes
    ----------
    known : SessionLog
        What models may look at.
    held_out : SessionLog
        The later sessions; what ``known`` does not hold of them is left out.
    whole : SessionLog
        Both: an item's popularity is known until the moment of each point.
    """

    name: str
    known: SessionLog
    held_out: SessionLog
    whole: SessionLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What our model set lists.

    Attributes
    ----------
    lists : mapping of source, ``fusion`` and ``ranker`` to int32, shape (n_points, 20)
    """

    fitted: FittedModelSet
    points: TestPoints
    lists: Mapping[str, IndexArray]

    @property
    def served(self) -> IndexArray:
        """The ranker's lists, or those of fusion where there were too few points to train one."""
        return self.lists["ranker"] if "ranker" in self.lists else self.lists["fusion"]


def answers(window: Window, *, settings: TrainingSettings, progress: Progress) -> Answers:
    """Train on what is known of a window, and list at every position of its held-out sessions."""
    fitted = train_model_set(window.known, settings=replace(settings, held_out=0.0, refit=False), progress=progress)
    points = points_at_every_position(window.held_out.reindexed(fitted.item_ids), most=settings.max_points)
    listed = listed_on(
        points,
        Fit(item_ids=fitted.item_ids, data_range=fitted.data_range, sources=sources_of(fitted)),
        Learnt(
            fusion=fitted.fusion,
            booster_text=None if fitted.ranker is None else fitted.ranker.booster_text,
            parameters=settings.ranker,
        ),
        dataset=window.whole,
        settings=settings,
        progress=progress,
    )
    return Answers(fitted=fitted, points=points, lists=listed.ranked)


def sources_of(fitted: FittedModelSet) -> FittedSources:
    """Return the sources of a model set; without a ranker nothing reads its tables, and they are empty."""
    empty = np.zeros((len(fitted.item_ids), 0), np.float32)
    none = RankingTables(**{each.name: empty for each in fields(RankingTables)})
    return FittedSources(
        als=fitted.als,
        neighbours=fitted.neighbours,
        sessions=fitted.sessions,
        popularity=fitted.popularity,
        tables=none if fitted.ranker is None else fitted.ranker.tables,
    )


def bound(found: Answers) -> float:
    """Return the share of the points whose target a source proposes or the session holds: no ranker exceeds it."""
    points = found.points
    lists = list_sources(sources_of(found.fitted), points.histories, names=RANKER_SOURCES)
    is_listed = ~points.is_new()
    for name, depth in CANDIDATES_PER_SOURCE.items():
        is_listed |= (lists[name].items[:, :depth] == points.targets[:, None]).any(axis=1)
    return float(np.mean(is_listed & (points.targets > 0)))
