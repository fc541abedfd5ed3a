"""What each graph must answer, in plain numpy and float64: the source of golden vectors and of the tests.

Slow on purpose: written from the formulas in ``training.fitted``, with loops, so that it shares no trick and
no mistake with the graphs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommendations.training.fitted import AlsFactors, Neighbours, SessionIndex

Scores = NDArray[np.float64]

_PIECE = 65_536


def als_answers(
    factors: AlsFactors, sessions: Sequence[Sequence[int]], weights: Sequence[Sequence[float]]
) -> list[Scores]:
    """Return Y·x of each session, with x from (YᵀY + λI + Yᵀ(C - I)Y) x = YᵀC p over its newest ``last_n`` items.

    ``sessions`` hold item indices, newest last. The factors are read twice, in pieces, however many sessions.
    """
    matrix = factors.item_factors
    n_items, n_factors = matrix.shape
    pieces = [slice(start, start + _PIECE) for start in range(0, n_items, _PIECE)]
    gram = factors.regularization * np.eye(n_factors)
    for piece in pieces:
        wide = matrix[piece].astype(np.float64)
        gram += wide.T @ wide
    users = np.zeros((len(sessions), n_factors))
    for row, (items, kinds) in enumerate(zip(sessions, weights, strict=True)):
        confidence: dict[int, float] = {}
        for age, (item, weight) in enumerate(zip(reversed(items), reversed(kinds), strict=True)):
            if age < factors.last_n and weight > 0:
                confidence[item] = confidence.get(item, 1.0) + factors.alpha * weight * factors.decay**age
        left, right = gram.copy(), np.zeros(n_factors)
        for item, value in confidence.items():
            vector = matrix[item].astype(np.float64)
            left += (value - 1.0) * np.outer(vector, vector)
            right += value * vector
        users[row] = np.linalg.solve(left, right)
    scores = np.empty((len(sessions), n_items))
    for piece in pieces:
        scores[:, piece] = users @ matrix[piece].astype(np.float64).T
    return list(scores)


def neighbour_scores(table: Neighbours, items: Sequence[int], weights: Sequence[float]) -> Scores:
    """Add up the rows of the newest ``last_n`` items."""
    scores = np.zeros(table.indices.shape[0])
    for age, (item, weight) in enumerate(zip(reversed(items), reversed(weights), strict=True)):
        if age < table.last_n:
            for neighbour, value in zip(table.indices[item], table.weights[item], strict=True):
                scores[neighbour] += weight * table.decay**age * float(value)
    scores[0] = 0.0
    return scores


def session_scores(sessions: SessionIndex, items: Sequence[int], weights: Sequence[float]) -> Scores:
    """VSTAN, step by step as ``SessionIndex`` states it."""
    history = list(zip(items, weights, strict=True))[-sessions.max_history :]
    n = len(history)
    last_position = {item: p for p, (item, weight) in enumerate(history, start=1) if weight > 0}
    weight_of = {item: weight for item, weight in history if weight > 0}
    similarity: dict[int, float] = {}
    for item, p in last_position.items():
        gain = weight_of[item] * np.exp((p - n) / sessions.position_decay)
        for session in sessions.postings[item]:
            if session > 0:
                similarity[int(session)] = similarity.get(int(session), 0.0) + float(gain)
    ranked = sorted(((value * float(sessions.session_weights[s]), s) for s, value in similarity.items()), reverse=True)
    scores = np.zeros(sessions.postings.shape[0])
    for value, session in ranked[: sessions.neighbours]:
        row = sessions.session_items[session]
        shared = [column for column, item in enumerate(row) if int(item) in last_position]
        if not shared:
            continue
        star, latest = max(shared), max(last_position[int(row[column])] for column in shared)
        strength = value * np.exp((latest - n) / sessions.overlap_decay)
        for column, item in enumerate(row):
            if item > 0:
                nearness = np.exp(-abs(column - star) / sessions.distance_decay)
                scores[item] += strength * nearness * float(sessions.item_weights[item])
    return scores
