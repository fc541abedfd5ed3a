"""The LightGBM lambdarank ranker, trained on candidates from sources that were fitted before its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommendations.core.objectives import Objective
from recommendations.ranking.batch import RankingInput, RankingTables, ranked, ranking_input
from recommendations.ranking.columns import COLUMNS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, IndexArray, RankedLists
from recommendations.training.data.dataset import Kind, SessionLog
from recommendations.training.data.history import NOTHING_KNOWN, Known
from recommendations.training.data.split import TestPoints, later_in_session
from recommendations.training.fit.batch import chunks_of
from recommendations.training.fitted import LearntObjective, Ranker
from recommendations.training.settings import Progress, RankerParameters, TrainingSettings, no_progress

LATER: Mapping[str, Kind] = {Objective.CART.value: Kind.CART, Objective.PURCHASE.value: Kind.PURCHASE}
"""Objectives that come true later in the visit, with the least kind of interaction that makes them so."""

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

    Attributes
    ----------
    later : mapping of objective to bool, bool
        Whether each row of ``fit`` and of ``stop`` came true later in the visit.
    first_stop : int
        The first of the points whose rows are in ``stop``.
    """

    fit: lightgbm.Dataset
    stop: lightgbm.Dataset
    n_rows: int
    n_queries: int
    later: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
    first_stop: int

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
        candidates = input_of(part, points.histories.take(rows), tables, known.take(rows))
        scores = np.asarray(booster.predict(candidates.features, num_threads=num_threads), np.float32)
        best[rows] = ranked(candidates, scores, n=n).items
        progress("rank", int(rows[-1]) + 1, len(points))
    return best


def as_ranker(
    booster: lightgbm.Booster,
    tables: RankingTables,
    *,
    decimals: int = 2,
    objectives: Mapping[str, LearntObjective] | None = None,
) -> Ranker:
    """Return what the graph builder takes; only the trees up to the best iteration."""
    text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    return Ranker(booster_text=text, columns=COLUMNS, tables=tables, decimals=decimals, objectives=objectives or {})


def training_rows(  # what is ranked, what labels are and weigh, and a bound
    lists: Mapping[str, RankedLists],
    points: TestPoints,
    tables: RankingTables,
    *,
    known: Known = NOTHING_KNOWN,
    weights: FloatArray | None = None,
    log: SessionLog | None = None,
    min_queries: int = 1,
    progress: Progress = no_progress,
) -> RankerRows | None:
    """Return the candidates of the points whose target is among them; None where those points are too few.

    Parameters
    ----------
    log : SessionLog, optional
        The one whose points these are; without it nothing comes later.
    """
    label_of = np.array([KIND_LABELS[kind] for kind in Kind], np.int8)
    features, labels, groups, counts, used = [], [], [], [], []
    later: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in LATER}
    for rows in chunks_of(len(points), CHUNK_QUERIES):
        part = points.take(rows)
        chosen = {name: source.take(rows) for name, source in lists.items()}
        candidates = input_of(chosen, part.histories, tables, known.take(rows))
        hit = candidates.items == part.targets[candidates.queries]
        answered = np.bincount(candidates.queries[hit], minlength=len(rows)) > 0
        kept = answered[candidates.queries]
        features.append(candidates.features[kept])
        labels.append(np.where(hit, label_of[part.kinds[candidates.queries]], 0).astype(np.int8)[kept])
        groups.append(np.bincount(candidates.queries, minlength=len(rows))[answered])
        used.append(rows[answered])
        for name, came in flags_of(candidates, part, log).items():
            later[name].append(came[kept])
        counts.append(np.ones(answered.sum(), np.float32) if weights is None else weights[rows][answered])
        progress("ranker features", int(rows[-1]) + 1, len(points))
    if sum(len(group) for group in groups) < min_queries:
        return None
    matrix = np.concatenate(features)
    features.clear()  # the same again, and by far the largest thing in memory
    of_rows = np.concatenate(groups)
    n_fit = len(of_rows) - max(round(len(of_rows) * EARLY_STOPPING_SHARE), 1)
    cut = int(of_rows[:n_fit].sum())
    fit, stop = _sides(matrix, np.concatenate(labels), of_rows, np.concatenate(counts), n_fit=n_fit)
    of_each = {name: np.concatenate(flags) for name, flags in later.items()}
    return RankerRows(
        fit=fit,
        stop=stop,
        n_rows=len(matrix),
        n_queries=len(of_rows),
        later={name: (flags[:cut], flags[cut:]) for name, flags in of_each.items()},
        first_stop=int(np.concatenate(used)[n_fit]),
    )


def flags_of(candidates: RankingInput, points: TestPoints, log: SessionLog | None) -> dict[str, NDArray[np.bool_]]:
    """Return whether each candidate came true later in the visit, by objective; never, without a log."""
    if log is None:
        return {name: np.zeros(len(candidates.items), np.bool_) for name in LATER}
    keys = (candidates.queries << 32) | candidates.items
    return {name: np.isin(keys, later_in_session(points, log, least=kind), kind="sort") for name, kind in LATER.items()}


def _sides(
    features: FloatArray, labels: NDArray[np.int8], groups: NDArray[np.int64], weights: FloatArray, *, n_fit: int
) -> tuple[lightgbm.Dataset, lightgbm.Dataset]:
    """Return the rows of the first ``n_fit`` queries and those of the others, binned once."""
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
    return fit, stop


def input_of(
    lists: Mapping[str, RankedLists], histories: SessionHistories, tables: RankingTables, known: Known
) -> RankingInput:
    """Return candidates with their features; see ``ranking.batch.ranking_input``."""
    return ranking_input(lists, histories, tables, users=known.users, popularity=known.popularity)
