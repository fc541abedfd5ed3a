"""Fitted models of any size for timing: power-law norms and popularity, clustered tastes; made from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.training.fitted import AlsFactors, Neighbours, SessionIndex

N_TASTES = 200


def item_factors(*, n_items: int, n_factors: int, seed: int = 0) -> NDArray[np.float32]:
    """Item factors as ALS leaves them: norms fall with popularity by a power law, directions gather in tastes."""
    rng = np.random.default_rng(seed)
    tastes = rng.standard_normal((N_TASTES, n_factors), dtype=np.float32)
    factors = 0.7 * tastes[rng.integers(0, N_TASTES, n_items)]
    factors += 0.7 * rng.standard_normal((n_items, n_factors), dtype=np.float32)
    factors *= 0.3 * (np.arange(1, n_items + 1, dtype=np.float32) ** -0.3)[:, None]
    factors[0] = 0
    return factors


def als_factors(*, n_items: int, n_factors: int = 128, seed: int = 0) -> AlsFactors:
    """ALS over those factors; no decay, so that ``implicit`` can be asked the same question."""
    return AlsFactors(
        item_factors=item_factors(n_items=n_items, n_factors=n_factors, seed=seed),
        regularization=0.05,
        alpha=2.0,
        decay=1.0,
        last_n=50,
    )


def popular_items(rng: np.random.Generator, *, n_items: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Draw items, popular ones more often: density falls like 1 / index."""
    drawn = np.exp(rng.random(shape) * np.log(n_items - 1)).astype(np.int64)
    clipped: NDArray[np.int64] = np.clip(drawn, 1, n_items - 1)
    return clipped


def neighbours(*, n_items: int, k: int = 100, seed: int = 0, name: str = "tfidf") -> Neighbours:
    """A table whose neighbours lie near each other in popularity, with weights that fall."""
    rng = np.random.default_rng(seed)
    indices = popular_items(rng, n_items=n_items, shape=(n_items, k)).astype(np.int32)
    weights = np.sort(rng.random((n_items, k), dtype=np.float32), axis=1)[:, ::-1]
    indices[0], weights[0] = 0, 0
    return Neighbours(name=name, indices=indices, weights=np.ascontiguousarray(weights), decay=0.7, last_n=10)


def session_index(*, n_items: int, n_sessions: int, m: int = 500, neighbours: int = 200, seed: int = 0) -> SessionIndex:
    """Past sessions of 2 to 12 items."""
    rng = np.random.default_rng(seed)
    max_length = 30
    session_items = np.zeros((n_sessions + 1, max_length), np.int32)
    drawn = popular_items(rng, n_items=n_items, shape=(n_sessions, 12))
    # Each item once, as in real rows: repeats within a row become padding.
    drawn.sort(axis=1)
    drawn[:, 1:][drawn[:, 1:] == drawn[:, :-1]] = 0
    drawn[np.arange(12)[None] >= rng.integers(2, 13, n_sessions)[:, None]] = 0
    session_items[1:, :12] = drawn
    rows, columns = np.nonzero(session_items)
    items = session_items[rows, columns]
    order = np.lexsort((-rows, items))
    items, rows = items[order], rows[order]
    starts = np.searchsorted(items, np.arange(n_items))
    index = np.arange(len(items)) - starts[items]
    postings = np.zeros((n_items, m), np.int32)
    kept = index < m
    postings[items[kept], index[kept]] = rows[kept]
    lengths = np.maximum((session_items > 0).sum(axis=1), 1)
    session_weights = (np.exp(np.arange(n_sessions + 1) / n_sessions) / np.sqrt(lengths)).astype(np.float32)
    session_weights[0] = 0
    item_weights = (1 + rng.random(n_items)).astype(np.float32)
    item_weights[0] = 0
    return SessionIndex(
        postings=postings,
        session_items=session_items,
        session_weights=session_weights,
        item_weights=item_weights,
        neighbours=neighbours,
        max_history=50,
        position_decay=4.8,
        overlap_decay=4.8,
        distance_decay=1.2,
    )
