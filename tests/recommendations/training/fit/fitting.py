"""Train a ranker from lists and points in one call."""

from __future__ import annotations

from collections.abc import Mapping

import lightgbm

from recommendations.ranking.batch import RankingTables
from recommendations.ranking.rrf import FloatArray, RankedLists
from recommendations.training.data.split import TestPoints
from recommendations.training.fit.ranker import train_booster, training_rows
from recommendations.training.settings import TrainingSettings


def fit_ranker(
    lists: Mapping[str, RankedLists],
    points: TestPoints,
    tables: RankingTables,
    *,
    settings: TrainingSettings,
    weights: FloatArray | None = None,
) -> lightgbm.Booster | None:
    """Train on the points whose target is among their candidates; None when those are too few."""
    rows = training_rows(lists, points, tables, weights=weights, min_queries=settings.min_queries)
    return None if rows is None else train_booster(rows, settings.ranker, settings=settings)
