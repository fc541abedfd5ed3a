from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.batch import NOT_LISTED_RANK, RankingTables, ranked, ranking_input
from recommendations.ranking.columns import CANDIDATES_PER_SOURCE, COLUMNS, ITEM_COLUMNS, ITEM_FEATURES, LIST_DEPTH
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.item_features import UserOrders
from recommendations.ranking.rrf import RankedLists
from recommendations.ranking.session import NOT_SEEN_AGE

N_ITEMS = 300


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(N_ITEMS, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return RankingTables(
        item_columns=rng.random((N_ITEMS, len(ITEM_COLUMNS)), np.float32),
        item_facts=rng.integers(0, 9, (N_ITEMS, len(ITEM_FEATURES))).astype(np.float32),
        item_vectors=vectors,
        next_indices=rng.integers(1, N_ITEMS, (N_ITEMS, 1)).astype(np.int32),
        next_weights=rng.random((N_ITEMS, 1), np.float32),
    )


def made_lists(n_queries, *, seed=2, depth=LIST_DEPTH):
    rng = np.random.default_rng(seed)
    sources = {}
    for name in CANDIDATES_PER_SOURCE:
        items = np.stack([rng.permutation(N_ITEMS - 1)[:depth] + 1 for _ in range(n_queries)]).astype(np.int32)
        scores = -np.sort(-rng.random((n_queries, depth), np.float32), axis=1)
        sources[name] = RankedLists(items=items, scores=scores)
    return sources


def column(given, name):
    return given.features[:, COLUMNS.index(name)]


def buyers(n):
    ages, orders = 86_400.0 * np.arange(n), np.arange(n)
    return UserOrders.of(order_age_s=ages, orders=orders, monetary=1_500 * orders, scores=np.full((n, 3), 4, np.int8))


def counted(queries, items):
    return (items * 2).astype(np.float32), (items * 7).astype(np.float32)


def test_one_request_gets_the_vectors_it_was_trained_with(tables):
    histories = SessionHistories.of([[3, 7, 3], [9], [11, 2]])
    sources = made_lists(3)

    batch = ranking_input(sources, histories, tables, users=buyers(3), popularity=counted)

    for row in range(3):
        one = ranking_input(
            {name: lists.take([row]) for name, lists in sources.items()},
            SessionHistories.of([histories[row].tolist()]),
            tables,
            users=buyers(3).take(np.array([row])),
            popularity=counted,
        )
        here = batch.queries == row
        assert one.items.tolist() == batch.items[here].tolist()
        np.testing.assert_allclose(one.features, batch.features[here], rtol=1e-5)


def test_candidates_are_what_the_sources_propose_and_the_session(tables):
    sources = made_lists(1)

    given = ranking_input(sources, SessionHistories.of([[5]]), tables)

    proposed = {int(i) for name, depth in CANDIDATES_PER_SOURCE.items() for i in sources[name].items[0, :depth]}
    assert set(given.items.tolist()) == proposed | {5}
    assert given.features.dtype == np.float32
    assert given.features.shape == (len(given.items), len(COLUMNS))
    assert np.isfinite(given.features).all()


def test_rank_and_score_are_known_below_the_depth_that_proposes(tables):
    sources = made_lists(1)
    deep = int(sources["popularity"].items[0, CANDIDATES_PER_SOURCE["popularity"] + 5])

    given = ranking_input(sources, SessionHistories.of([[deep]]), tables)

    row = given.items.tolist().index(deep)
    assert column(given, "popularity_rank")[row] == CANDIDATES_PER_SOURCE["popularity"] + 6


def test_lists_deeper_than_the_contract_change_nothing(tables):
    deeper = made_lists(1, depth=LIST_DEPTH + 50)
    cut = {name: lists.head(LIST_DEPTH) for name, lists in deeper.items()}
    histories = SessionHistories.of([[1, 2]])

    one, other = ranking_input(deeper, histories, tables), ranking_input(cut, histories, tables)

    np.testing.assert_array_equal(one.features, other.features)


def test_a_source_that_was_not_asked_names_nothing(tables):
    sources = made_lists(1)
    del sources["walk"]

    given = ranking_input(sources, SessionHistories.of([[1, 2]]), tables)

    assert (column(given, "walk_rank") == NOT_LISTED_RANK).all()
    assert not column(given, "walk_score").any()


def test_session_columns_by_hand(tables):
    given = ranking_input(made_lists(1), SessionHistories.of([[8, 4, 8, 6, 6]]), tables)

    row = given.items.tolist().index(8)
    assert [column(given, name)[row] for name in ("times_seen", "last_age", "first_age", "session_length")] == [
        2,
        2,
        4,
        5,
    ]
    assert column(given, "distinct_items")[row] == 3
    assert column(given, "newest_repeats")[row] == 1


def test_the_session_tells_what_was_seen_when_and_next_to_what(tables):
    given = ranking_input(made_lists(1), SessionHistories.of([[8, 4, 8, 8, 5, 4, 8], [6]]), tables)

    def of(item, *names, query=0):
        row = np.flatnonzero((given.queries == query) & (given.items == item))[0]
        return [float(column(given, name)[row]) for name in names]

    unseen = int(np.setdiff1d(given.items[given.queries == 0], [8, 4, 5])[0])
    candidate = ("newer_items", "reloads", "before_newest", "after_newest")
    assert of(8, *candidate) == [0, 1, 0, 0]
    assert of(4, *candidate) == [1, 0, 2, 1]
    assert of(5, *candidate) == [2, 0, 0, 1]
    assert of(unseen, *candidate) == [NOT_SEEN_AGE, 0, 0, 0]
    # Of six steps one reloaded, and three went back.
    habits = ("newest_times", "newest_before", "reload_share", "return_share")
    assert of(unseen, *habits) == pytest.approx([4, 3, 1 / 6, 3 / 6])
    assert of(6, *habits, query=1) == [1, NOT_SEEN_AGE, 0, 0]


def test_pair_columns_look_at_the_second_and_third_newest(tables):
    third, second = 8, 4
    expected = int(tables.next_indices[third, 0])

    given = ranking_input(made_lists(1), SessionHistories.of([[expected, third, second, 6]]), tables)

    row = given.items.tolist().index(expected)
    assert column(given, "next_of_third")[row] == tables.next_weights[third, 0]
    assert column(given, "cosine_to_newest")[row] == pytest.approx(
        float(tables.item_vectors[expected] @ tables.item_vectors[6]), abs=1e-6
    )


def test_ranked_breaks_ties_by_item_index(tables):
    given = ranking_input(made_lists(1), SessionHistories.of([[1]]), tables)

    lists = ranked(given, np.ones(len(given.items), np.float32), n=5)

    assert lists.items[0].tolist() == np.sort(given.items)[:5].tolist()
