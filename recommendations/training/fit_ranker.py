"""The LightGBM lambdarank ranker, trained on candidates from sources that were fitted before its labels."""

from __future__ import annotations

from collections.abc import Mapping

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommendations.fusion import FloatArray, IndexArray, RankedLists
from recommendations.ranking import COLUMNS, RankingTables, ranked, ranking_input
from recommendations.training.batch import chunks_of
from recommendations.training.dataset import Kind
from recommendations.training.fitted import Ranker
from recommendations.training.settings import Progress, TrainingSettings, no_progress
from recommendations.training.split import TestPoints

KIND_LABELS: Mapping[Kind, int] = {Kind.VIEW: 1, Kind.CART: 2, Kind.PURCHASE: 3}
EARLY_STOPPING_SHARE = 0.1
EARLY_STOPPING_ROUNDS = 20
CHUNK_QUERIES = 4096


def fit_ranker(
    lists: Mapping[str, RankedLists],
    points: TestPoints,
    tables: RankingTables,
    *,
    settings: TrainingSettings,
    progress: Progress = no_progress,
) -> lightgbm.Booster | None:
    """Train on the points whose target is among their candidates; None when those are too few.

    The newest tenth of the points decides when to stop. A label is 1 for a view, 2 for a cart, 3 for a purchase
    (gains 1, 3, 7), so that of two likely items the one that earns more comes first.
    """
    features, labels, groups = _training_rows(lists, points, tables, progress)
    if len(groups) < settings.min_queries:
        return None
    n_fit = len(groups) - max(round(len(groups) * EARLY_STOPPING_SHARE), 1)
    cut = int(groups[:n_fit].sum())
    fit = lightgbm.Dataset(features[:cut], labels[:cut], group=groups[:n_fit], feature_name=list(COLUMNS))
    stop = lightgbm.Dataset(features[cut:], labels[cut:], group=groups[n_fit:], reference=fit)
    booster = lightgbm.train(
        {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [20],
            "lambdarank_truncation_level": 20,
            "learning_rate": 0.07,
            "num_leaves": 31,
            "min_data_in_leaf": 100 if len(labels) > 100_000 else 10,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "verbosity": -1,
            "num_threads": settings.num_threads,
            "seed": settings.seed,
            "deterministic": True,
            "force_row_wise": True,
        },
        fit,
        settings.trees,
        [stop],
        callbacks=[
            lightgbm.early_stopping(EARLY_STOPPING_ROUNDS, verbose=False),
            lambda state: progress("train ranker", state.iteration + 1, settings.trees),
        ],
    )
    progress("train ranker", settings.trees, settings.trees)
    return booster


def rank_lists(
    booster: lightgbm.Booster,
    lists: Mapping[str, RankedLists],
    points: TestPoints,
    tables: RankingTables,
    *,
    n: int = 20,
    num_threads: int = 1,
    progress: Progress = no_progress,
) -> IndexArray:
    """Return the ranker's ``n`` best for each point; what the graph gives one by one."""
    best = np.zeros((len(points), n), np.int32)
    for rows in chunks_of(len(points), CHUNK_QUERIES):
        part = {name: source.take(rows) for name, source in lists.items()}
        candidates = ranking_input(part, points.prefixes.take(rows), tables)
        scores = np.asarray(booster.predict(candidates.features, num_threads=num_threads), np.float32)
        best[rows] = ranked(candidates, scores, n=n).items
        progress("rank", int(rows[-1]) + 1, len(points))
    return best


def as_ranker(booster: lightgbm.Booster, tables: RankingTables) -> Ranker:
    """Return what the graph builder takes; only the trees up to the best iteration."""
    text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    return Ranker(booster_text=text, columns=COLUMNS, tables=tables)


def _training_rows(
    lists: Mapping[str, RankedLists], points: TestPoints, tables: RankingTables, progress: Progress
) -> tuple[FloatArray, NDArray[np.int8], NDArray[np.int64]]:
    label_of = np.array([KIND_LABELS[kind] for kind in Kind], np.int8)
    features, labels, groups = [], [], []
    for rows in chunks_of(len(points), CHUNK_QUERIES):
        part = points.take(rows)
        candidates = ranking_input({name: source.take(rows) for name, source in lists.items()}, part.prefixes, tables)
        hit = candidates.items == part.targets[candidates.queries]
        answered = np.bincount(candidates.queries[hit], minlength=len(rows)) > 0
        kept = answered[candidates.queries]
        features.append(candidates.features[kept])
        labels.append(np.where(hit, label_of[part.kinds[candidates.queries]], 0).astype(np.int8)[kept])
        groups.append(np.bincount(candidates.queries, minlength=len(rows))[answered])
        progress("ranker features", int(rows[-1]) + 1, len(points))
    return np.concatenate(features), np.concatenate(labels), np.concatenate(groups)
