"""The LightGBM lambdarank ranker, trained on candidates from sources that were fitted before its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.batch import RankingInput, RankingTables, ranked, ranking_input
from recommendations.ranking.columns import COLUMNS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, IndexArray, RankedLists
from recommendations.training.data.dataset import Kind
from recommendations.training.data.history import NOTHING_KNOWN, Known
from recommendations.training.data.split import TestPoints
from recommendations.training.fit.batch import chunks_of
from recommendations.training.fitted import Ranker
from recommendations.training.settings import Progress, RankerParameters, TrainingSettings, no_progress

KIND_LABELS: Mapping[Kind, int] = {Kind.VIEW: 1, Kind.CART: 2, Kind.PURCHASE: 3}
EARLY_STOPPING_SHARE = 0.1
EARLY_STOPPING_ROUNDS = 20
CHUNK_QUERIES = 4096
DATASET_PARAMETERS: Mapping[str, object] = {"feature_pre_filter": False, "force_row_wise": True, "verbosity": -1}
"""Given to the datasets, too: they are binned once, whatever parameters are tried on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerRows:
    """What LightGBM is trained on; the newest tenth of the points decides when to stop.

    A label is 1 for a view, 2 for a cart, 3 for a purchase (gains 1, 3, 7), so that of two likely items the one that
    sells for more comes first.
    """

    fit: lightgbm.Dataset
    stop: lightgbm.Dataset
    n_rows: int
    n_queries: int

    @property
    def default_min_data_in_leaf(self) -> int:
        """What a leaf holds at least when nobody says otherwise."""
        return 100 if self.n_rows > 100_000 else 10


def train_booster(
    rows: RankerRows,
    parameters: RankerParameters,
    *,
    settings: TrainingSettings,
    progress: Progress = no_progress,
) -> lightgbm.Booster:
    """Train trees until the newest points gain no more."""
    booster = lightgbm.train(
        {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [20],
            "lambdarank_truncation_level": parameters.truncation,
            "learning_rate": parameters.learning_rate,
            "num_leaves": parameters.num_leaves,
            "min_data_in_leaf": parameters.min_data_in_leaf or rows.default_min_data_in_leaf,
            "feature_fraction": parameters.feature_fraction,
            "bagging_fraction": parameters.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": parameters.lambda_l2,
            "verbosity": -1,
            "num_threads": settings.num_threads,
            "seed": settings.seed,
            "deterministic": True,
            **DATASET_PARAMETERS,
        },
        rows.fit,
        settings.trees,
        [rows.stop],
        callbacks=[
            lightgbm.early_stopping(EARLY_STOPPING_ROUNDS, verbose=False),
            lambda state: progress("train ranker", state.iteration + 1, settings.trees),
        ],
    )
    progress("train ranker", settings.trees, settings.trees)
    return booster


def rank_lists(  # what ranks, what is ranked, and two knobs with defaults
    booster: lightgbm.Booster,
    lists: Mapping[str, RankedLists],
    points: TestPoints,
    tables: RankingTables,
    *,
    known: Known = NOTHING_KNOWN,
    n: int = 20,
    num_threads: int = 1,
    progress: Progress = no_progress,
) -> IndexArray:
    """Return the ranker's ``n`` best for each point; what the graph gives one by one."""
    best = np.zeros((len(points), n), np.int32)
    for rows in chunks_of(len(points), CHUNK_QUERIES):
        part = {name: source.take(rows) for name, source in lists.items()}
        candidates = _input(part, points.histories.take(rows), tables, known.take(rows))
        scores = np.asarray(booster.predict(candidates.features, num_threads=num_threads), np.float32)
        best[rows] = ranked(candidates, scores, n=n).items
        progress("rank", int(rows[-1]) + 1, len(points))
    return best


def as_ranker(booster: lightgbm.Booster, tables: RankingTables, *, decimals: int = 2) -> Ranker:
    """Return what the graph builder takes; only the trees up to the best iteration."""
    text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    return Ranker(booster_text=text, columns=COLUMNS, tables=tables, decimals=decimals)


def training_rows(
    lists: Mapping[str, RankedLists],
    points: TestPoints,
    tables: RankingTables,
    *,
    known: Known = NOTHING_KNOWN,
    weights: FloatArray | None = None,
    min_queries: int = 1,
    progress: Progress = no_progress,
) -> RankerRows | None:
    """Return the candidates of the points whose target is among them; None where those points are too few."""
    label_of = np.array([KIND_LABELS[kind] for kind in Kind], np.int8)
    features, labels, groups, counts = [], [], [], []
    for rows in chunks_of(len(points), CHUNK_QUERIES):
        part = points.take(rows)
        chosen = {name: source.take(rows) for name, source in lists.items()}
        candidates = _input(chosen, part.histories, tables, known.take(rows))
        hit = candidates.items == part.targets[candidates.queries]
        answered = np.bincount(candidates.queries[hit], minlength=len(rows)) > 0
        kept = answered[candidates.queries]
        features.append(candidates.features[kept])
        labels.append(np.where(hit, label_of[part.kinds[candidates.queries]], 0).astype(np.int8)[kept])
        groups.append(np.bincount(candidates.queries, minlength=len(rows))[answered])
        counts.append(np.ones(answered.sum(), np.float32) if weights is None else weights[rows][answered])
        progress("ranker features", int(rows[-1]) + 1, len(points))
    if sum(len(group) for group in groups) < min_queries:
        return None
    matrix = np.concatenate(features)
    features.clear()  # the same again, and by far the largest thing in memory
    return _rows(matrix, np.concatenate(labels), np.concatenate(groups), np.concatenate(counts))


def _rows(features: FloatArray, labels: NDArray[np.int8], groups: NDArray[np.int64], weights: FloatArray) -> RankerRows:
    n_fit = len(groups) - max(round(len(groups) * EARLY_STOPPING_SHARE), 1)
    cut = int(groups[:n_fit].sum())
    of_row = None if (weights == 1).all() else np.repeat(weights, groups)
    sides: list[lightgbm.Dataset] = []
    for part, group in ((slice(cut), groups[:n_fit]), (slice(cut, None), groups[n_fit:])):
        weight = None if of_row is None else of_row[part]
        side = lightgbm.Dataset(
            features[part],
            labels[part],
            group=group,
            weight=weight,
            feature_name=list(COLUMNS),
            params=dict(DATASET_PARAMETERS),
            reference=sides[0] if sides else None,
        )
        sides.append(side.construct())
    fit, stop = sides
    return RankerRows(fit=fit, stop=stop, n_rows=len(labels), n_queries=len(groups))


def _input(
    lists: Mapping[str, RankedLists], histories: SessionHistories, tables: RankingTables, known: Known
) -> RankingInput:
    return ranking_input(lists, histories, tables, users=known.users, popularity=known.popularity)
