"""Small fitted model sets with structure, made from a seed: shoppers who stay within one of a few tastes."""

from __future__ import annotations

import lightgbm
import numpy as np

from recommendations.ranking.batch import RankingTables
from recommendations.training.fitted import (
    AlsFactors,
    DataRange,
    FittedModelSet,
    FusionWeights,
    Neighbours,
    Popularity,
    Ranker,
    SessionIndex,
)

N_COLUMNS = 6


def als_factors(*, n_items: int, n_factors: int = 32, seed: int = 0) -> AlsFactors:
    """Item factors with power-law norms, falling with the index, around a few tastes."""
    rng = np.random.default_rng(seed)
    tastes = rng.standard_normal((12, n_factors))
    factors = 0.7 * tastes[rng.integers(0, 12, n_items)] + 0.7 * rng.standard_normal((n_items, n_factors))
    factors *= 0.3 * (np.arange(1, n_items + 1)[:, None] ** -0.3)
    factors[0] = 0
    return AlsFactors(item_factors=factors.astype(np.float32), regularization=0.05, alpha=2.0, decay=0.8, last_n=10)


def neighbours(
    *, n_items: int, k: int = 12, name: str = "tfidf", seed: int = 0, decay: float = 0.7, last_n: int = 5
) -> Neighbours:
    rng = np.random.default_rng(seed)
    k = min(k, n_items - 1)
    indices = np.zeros((n_items, k), np.int32)
    weights = np.zeros((n_items, k), np.float32)
    for item in range(1, n_items):
        count = int(rng.integers(1, k + 1))
        indices[item, :count] = rng.choice(np.arange(1, n_items), count, replace=False)
        weights[item, :count] = np.sort(rng.random(count).astype(np.float32))[::-1]
    return Neighbours(name=name, indices=indices, weights=weights, decay=decay, last_n=last_n)


def session_index(*, n_items: int, n_sessions: int = 300, seed: int = 0, max_length: int = 8) -> SessionIndex:
    rng = np.random.default_rng(seed)
    m = 40
    session_items = np.zeros((n_sessions + 1, max_length), np.int32)
    for row in range(1, n_sessions + 1):
        length = int(rng.integers(1, min(max_length, n_items - 1) + 1))
        start = int(rng.integers(1, n_items))
        near = (start + rng.permutation(max(2 * length, 1))) % (n_items - 1) + 1
        items = list(dict.fromkeys(near.tolist()))[:length]
        session_items[row, : len(items)] = items
    postings = np.zeros((n_items, m), np.int32)
    for item in range(1, n_items):
        rows = np.flatnonzero((session_items == item).any(axis=1))[::-1][:m]
        postings[item, : len(rows)] = rows
    lengths = np.maximum((session_items > 0).sum(axis=1), 1)
    # Recency makes every weight its own: no ties between sessions that float32 and float64 could break apart.
    session_weights = (np.exp(np.arange(n_sessions + 1) / n_sessions) / np.sqrt(lengths)).astype(np.float32)
    session_weights[0] = 0
    item_weights = (1 + rng.random(n_items)).astype(np.float32)
    item_weights[0] = 0
    return SessionIndex(
        postings=postings,
        session_items=session_items,
        session_weights=session_weights,
        item_weights=item_weights,
        neighbours=60,
        max_history=20,
        position_decay=4.8,
        overlap_decay=4.8,
        distance_decay=1.2,
    )


def ranker(*, n_items: int, seed: int = 0) -> Ranker:
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((1_000, N_COLUMNS)).astype(np.float32)
    labels = (matrix[:, 0] + matrix[:, 1] * matrix[:, 2] > 1).astype(int)
    booster = lightgbm.train(
        {"objective": "lambdarank", "num_leaves": 15, "verbose": -1, "num_threads": 1, "seed": seed},
        lightgbm.Dataset(matrix, labels, group=[50] * 20),
        num_boost_round=20,
    )
    return Ranker(
        booster_text=booster.model_to_string(),
        columns=tuple(f"column_{i}" for i in range(N_COLUMNS)),
        tables=RankingTables(
            item_columns=rng.random((n_items, 2)).astype(np.float32),
            item_facts=np.zeros((n_items, 4), np.float32),
            item_vectors=np.zeros((n_items, 4), np.float32),
            next_indices=np.zeros((n_items, 3), np.int32),
            next_weights=np.zeros((n_items, 3), np.float32),
        ),
    )


def fitted_model_set(*, n_items: int = 120, seed: int = 0, with_ranker: bool = True) -> FittedModelSet:
    popularity = np.linspace(1.0, 0.1, n_items, dtype=np.float32)
    popularity[0] = 0
    return FittedModelSet(
        item_ids=("", *(f"item-{i}" for i in range(1, n_items))),
        als=als_factors(n_items=n_items, seed=seed),
        neighbours=(
            neighbours(n_items=n_items, name="tfidf", seed=seed),
            neighbours(n_items=n_items, name="covisitation", seed=seed + 1, k=30, decay=0.5, last_n=1),
        ),
        sessions=session_index(n_items=n_items, seed=seed),
        popularity=Popularity(recent=popularity, all_time=2 * popularity),
        fusion=FusionWeights(weights={"sessions": 1.0, "tfidf": 0.5, "covisitation": 0.25, "als": 0.25}, k=10.0),
        ranker=ranker(n_items=n_items, seed=seed) if with_ranker else None,
        metrics={"fusion": {"hr_at_20": 0.5}},
        data_range=DataRange(first_ms=0, last_ms=1, interactions=1, sessions=1, users=1),
        seeds={"als": seed},
        parameters={"als": {"alpha": 2.0}},
    )
