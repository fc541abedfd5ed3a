"""What a list may be ordered for beside the ranker's order: the chance of a click, a cart, a purchase, calibrated.

The chance of a click is the ranker's own score as a share of its query: no further trees, and the ranker's order. Of
carts and purchases later in the visit trees of their own are learnt, on the ranker's rows; a shop with few of them has
no such objective yet. All are calibrated on the newest points, which no tree grew on, whether or not the sources found
what came next: the ranker's rows are those where they did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommendations.core.objectives import MIN_POSITIVES, Calibration, Objective
from recommendations.ranking.batch import RankingInput, RankingTables
from recommendations.ranking.rrf import FloatArray, RankedLists
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.history import Known
from recommendations.training.data.split import TestPoints, spread
from recommendations.training.evaluation.reliability import expected_error, reliability
from recommendations.training.fit.batch import chunks_of
from recommendations.training.fit.calibration import calibrated
from recommendations.training.fit.ranker import (
    CHUNK_QUERIES,
    DATASET_PARAMETERS,
    LATER,
    RankerRows,
    flags_of,
    input_of,
)
from recommendations.training.fitted import LearntObjective
from recommendations.training.settings import TrainingSettings

MIN_CALIBRATING: Final = 20
"""How many of the newest points' candidates have to have come true, which chances are calibrated on."""

TREES: Final = 60
STOPPING_ROUNDS: Final = 10
MAX_MEASURED: Final = 5_000
"""Held-out points that chances are measured on; some hundred candidates each."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Points to rank for, what the sources list for them, and what else is known.

    Attributes
    ----------
    log : SessionLog
        The one whose points these are.
    """

    lists: Mapping[str, RankedLists]
    points: TestPoints
    tables: RankingTables
    known: Known
    log: SessionLog

    def take(self, rows: NDArray[np.int64]) -> Questions:
        """Return these of them."""
        lists = {name: source.take(rows) for name, source in self.lists.items()}
        return replace(self, lists=lists, points=self.points.take(rows), known=self.known.take(rows))

    def candidates(self) -> Iterator[tuple[TestPoints, RankingInput]]:
        """Yield points and their candidates, some thousand points at a time."""
        for rows in chunks_of(len(self.points), CHUNK_QUERIES):
            part = self.take(rows)
            yield part.points, input_of(part.lists, part.points.histories, part.tables, part.known)


def learn_objectives(
    booster: lightgbm.Booster, rows: RankerRows, questions: Questions, *, settings: TrainingSettings
) -> dict[str, LearntObjective]:
    """Return every objective, those that could not be learnt with how many positives there were.

    ``rows`` are the ranker's own; their labels are others afterwards.
    """
    texts: dict[str, str] = {}
    positives = {Objective.CLICK.value: int(np.count_nonzero(np.asarray(rows.fit.get_label())))}
    for name in LATER:
        positives[name] = int(rows.later[name][0].sum())
        if positives[name] >= MIN_POSITIVES and rows.later[name][1].any():
            texts[name] = _trained(rows, rows.later[name], settings)
    newest = np.arange(rows.first_stop, len(questions.points))
    boosters = {name: lightgbm.Booster(model_str=text) for name, text in texts.items()}
    found = _scored({Objective.CLICK.value: booster, **boosters}, questions.take(newest), settings)
    learnt = {name: LearntObjective(booster_text=None, positives=count) for name, count in positives.items()}
    for name, (scores, came) in found.items():
        if came.sum() >= MIN_CALIBRATING:
            knots = calibrated(scores, came)
            learnt[name] = replace(
                learnt[name], booster_text=texts.get(name), scores=knots.scores, chances=knots.chances
            )
    return learnt


def measured_objectives(
    booster: lightgbm.Booster,
    objectives: Mapping[str, LearntObjective],
    questions: Questions,
    *,
    settings: TrainingSettings,
) -> dict[str, LearntObjective]:
    """Return the objectives with how right their chances were about these points, of which a sample is asked."""
    sample = questions.take(spread(len(questions.points), MAX_MEASURED))
    boosters = {
        name: booster if learnt.booster_text is None else lightgbm.Booster(model_str=learnt.booster_text)
        for name, learnt in objectives.items()
        if learnt.scores
    }
    measured = dict(objectives)
    for name, (scores, came) in _scored(boosters, sample, settings).items():
        learnt = objectives[name]
        bins = reliability(Calibration(learnt.scores, learnt.chances)(scores), came)
        rate = float(came.mean()) if len(came) else 0.0
        measured[name] = replace(learnt, reliability=bins, error=expected_error(bins), rate=rate)
    return measured


def _trained(rows: RankerRows, labels: tuple[Bools, Bools], settings: TrainingSettings) -> str:
    """Return trees whose prediction is the log odds, as text."""
    for side, came in zip((rows.fit, rows.stop), labels, strict=True):
        side.set_label(came.astype(np.float32))
        side.set_weight(None)
    booster = lightgbm.train(
        {
            "objective": "binary",
            "metric": "binary_logloss",
            "learning_rate": 0.1,
            "num_leaves": 15,
            "min_data_in_leaf": rows.default_min_data_in_leaf,
            "feature_fraction": 0.7,
            "lambda_l2": 1.0,
            "verbosity": -1,
            "num_threads": settings.num_threads,
            "seed": settings.seed,
            "deterministic": True,
            **DATASET_PARAMETERS,
        },
        rows.fit,
        min(settings.trees, TREES),
        [rows.stop],
        callbacks=[lightgbm.early_stopping(STOPPING_ROUNDS, verbose=False)],
    )
    text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    # The same trees under a ranker's name give their raw sum: one kind of graph, and the calibration does the rest.
    return text.replace("objective=binary sigmoid:1", "objective=lambdarank").replace(
        "[objective: binary]", "[objective: lambdarank]"
    )


def _scored(
    boosters: Mapping[str, lightgbm.Booster], questions: Questions, settings: TrainingSettings
) -> dict[str, tuple[FloatArray, Bools]]:
    """Return the score of every candidate by objective, and whether it came true."""
    found: dict[str, tuple[list[FloatArray], list[Bools]]] = {name: ([], []) for name in boosters}
    for points, candidates in questions.candidates():
        flags = flags_of(candidates, points, questions.log)
        for name, booster in boosters.items():
            raw = np.asarray(booster.predict(candidates.features, num_threads=settings.num_threads), np.float32)
            if name == Objective.CLICK:
                raw = _log_shares(raw, candidates.queries)
                came = candidates.items == points.targets[candidates.queries]
            else:
                came = flags[name]
            found[name][0].append(raw)
            found[name][1].append(came)
    return {name: (np.concatenate(scores), np.concatenate(came)) for name, (scores, came) in found.items() if scores}


def _log_shares(scores: FloatArray, queries: NDArray[np.int64]) -> FloatArray:
    """Return ``core.objectives.log_shares`` of each query of many; queries rise."""
    starts = np.flatnonzero(np.diff(queries, prepend=-1))
    sizes = np.diff(np.append(starts, len(queries)))
    above = scores - np.repeat(np.maximum.reduceat(scores, starts), sizes)
    shares: FloatArray = above - np.repeat(np.log(np.add.reduceat(np.exp(above), starts)), sizes)
    return shares
