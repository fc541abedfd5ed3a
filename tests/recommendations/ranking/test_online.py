from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.batch import RankingTables, ranking_input
from recommendations.ranking.columns import CANDIDATES_PER_SOURCE, COLUMNS, ITEM_COLUMNS, ITEM_FEATURES
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.item_features import NO_PRICE, UserOrders
from recommendations.ranking.online import one_ranking_input
from recommendations.ranking.rrf import RankedLists

N_ITEMS = 400


def made_tables(rng):
    vectors = rng.normal(size=(N_ITEMS, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    item_features = np.column_stack([rng.normal(3, 1, N_ITEMS), *(rng.integers(0, n, N_ITEMS) for n in (30, 5, 12))])
    item_features = item_features.astype(np.float32)
    item_features[rng.random(N_ITEMS) < 0.2, ITEM_FEATURES.index("log_price")] = NO_PRICE
    vectors[0], item_features[0] = 0, (NO_PRICE, 0, 0, 0)
    return RankingTables(
        item_columns=rng.random((N_ITEMS, len(ITEM_COLUMNS)), np.float32),
        item_facts=item_features,
        item_vectors=vectors,
        next_indices=np.stack([rng.permutation(N_ITEMS)[:20] for _ in range(N_ITEMS)]).astype(np.int32),
        next_weights=rng.random((N_ITEMS, 20), np.float32),
    )


def made_listings(rng):
    listings = {}
    for name in [*CANDIDATES_PER_SOURCE, "als"]:
        depth = int(rng.choice([0, 1, 30, 100, 130]))
        if rng.random() < 0.8:
            items = (rng.permutation(N_ITEMS - 1)[:depth] + 1).astype(np.int64)
            listings[name] = (items, -np.sort(-rng.random(depth, np.float32)))
    return listings


def as_lists(listing):
    items, scores = listing
    if not len(items):
        return RankedLists(items=np.zeros((1, 1), np.int32), scores=np.zeros((1, 1), np.float32))
    return RankedLists(items=items.astype(np.int32)[None], scores=scores[None])


@pytest.mark.parametrize("seed", range(40))
def test_one_request_gets_the_vectors_that_training_sees(seed):
    rng = np.random.default_rng(seed)
    tables, listings = made_tables(rng), made_listings(rng)
    history = rng.integers(1, 60, rng.integers(1, 51)).astype(np.int32)
    user = popularity = None
    if seed % 2:
        user = UserOrders.of(
            order_age_s=np.array([90_000.0]),
            orders=np.array([3]),
            monetary=np.array([12_345]),
            scores=np.array([[5, 3, 1]], np.int8),
        )
    if seed % 3:
        day, week = rng.random((2, N_ITEMS), np.float32) * 100

        def popularity(queries, items):
            return day[items], week[items]

    items, features = one_ranking_input(listings, history, tables, user=user, popularity=popularity)

    expected = ranking_input(
        {name: as_lists(listing) for name, listing in listings.items()},
        SessionHistories.of([history.tolist()]),
        tables,
        users=user,
        popularity=popularity,
    )
    assert features.dtype == np.float32
    assert items.tolist() == expected.items.tolist()
    for number, name in enumerate(COLUMNS):
        np.testing.assert_allclose(
            features[:, number], expected.features[:, number], rtol=2e-5, atol=1e-6, err_msg=name
        )
