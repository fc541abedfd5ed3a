"""Golden vectors: questions with answers computed without ONNX, checked before a version may go live."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommendations.core.manifest import ALS_SOURCE, SESSION_SOURCE
from recommendations.graphs.reference import Scores, als_answers, neighbour_scores, session_scores
from recommendations.training.fitted import FittedModelSet, SessionIndex

QUESTIONS = 12
TOP = 20
PROBED = 64
RANKED_ROWS = 64


def golden_arrays(fitted: FittedModelSet, *, seed: int) -> dict[str, NDArray[Any]]:
    """Return what ``golden.npz`` holds.

    ``items`` int64 [Q, L], newest last, 0 pads at the front; for each source ``{source}.top`` float64 [Q,
    TOP], the best scores, falling, 0 where there are no more; ``{source}.probe`` int64 [Q, P] and
    ``{source}.probe_score`` float64 [Q, P], the scores of some given items. With a ranker, ``ranker.matrix``
    and ``ranker.score``, and of each objective with trees of its own ``objective_{name}.score``.
    """
    rng = np.random.default_rng(seed)
    histories = _histories(fitted.sessions, rng)
    arrays: dict[str, NDArray[Any]] = {"items": _padded(histories)}
    ones = [[1.0] * len(history) for history in histories]
    answers: dict[str, list[Scores]] = {SESSION_SOURCE: [], ALS_SOURCE: als_answers(fitted.als, histories, ones)}
    for history, weights in zip(histories, ones, strict=True):
        answers[SESSION_SOURCE].append(session_scores(fitted.sessions, history, weights))
        for table in fitted.neighbours:
            answers.setdefault(table.name, []).append(neighbour_scores(table, history, weights))
    for source, scores in answers.items():
        arrays |= _answers(source, scores, rng)
    if fitted.ranker is not None:
        n_columns = len(fitted.ranker.columns)
        matrix = rng.standard_normal((RANKED_ROWS, n_columns)).astype(np.float32)
        booster = lightgbm.Booster(model_str=fitted.ranker.booster_text)
        arrays["ranker.matrix"] = matrix
        arrays["ranker.score"] = np.asarray(booster.predict(matrix), np.float64)
        for name, learnt in fitted.ranker.objectives.items():
            if learnt.booster_text is not None:
                trees = lightgbm.Booster(model_str=learnt.booster_text)
                arrays[f"objective_{name}.score"] = np.asarray(trees.predict(matrix), np.float64)
    return arrays


def _histories(sessions: SessionIndex, rng: np.random.Generator) -> list[list[int]]:
    """Draw beginnings of real sessions, so that neighbours exist; items at random where there are none."""
    n_items, n_rows = len(sessions.postings), len(sessions.session_items)
    histories = []
    for _ in range(QUESTIONS):
        row = sessions.session_items[rng.integers(min(1, n_rows - 1), n_rows)]
        items = row[row > 0].tolist()[: int(rng.integers(1, 9))]
        histories.append(items or rng.integers(1, n_items, 3).tolist())
    return histories


def _padded(histories: list[list[int]]) -> NDArray[np.int64]:
    longest = max(len(history) for history in histories)
    return np.array([[0] * (longest - len(history)) + history for history in histories], np.int64)


def _answers(source: str, scores: list[Scores], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Keep the best scores of each question, and those of some items: half of the best, half at random."""
    n_items = len(scores[0])
    top = np.zeros((len(scores), TOP))
    probed = min(PROBED, n_items - 1)
    probe = np.zeros((len(scores), probed), np.int64)
    for row, values in enumerate(scores):
        order = np.argsort(-values[1:], kind="stable") + 1
        best = values[order[:TOP]]
        top[row, : len(best)] = best
        likely, others = order[: probed // 2], order[probed // 2 :]
        probe[row] = np.concatenate([likely, rng.choice(others, probed - len(likely), replace=False)])
    probe_score = np.stack([values[row] for values, row in zip(scores, probe, strict=True)])
    return {f"{source}.top": top, f"{source}.probe": probe, f"{source}.probe_score": probe_score}
