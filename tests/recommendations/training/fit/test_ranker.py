"""The ranker learns the label that features tell, from the points that can teach it."""

from __future__ import annotations

import numpy as np

from recommendations.ranking.batch import RankingTables
from recommendations.ranking.columns import COLUMNS, ITEM_COLUMNS, ITEM_FEATURES
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import RankedLists
from recommendations.training.data.dataset import Kind
from recommendations.training.data.split import TestPoints
from recommendations.training.fit.ranker import as_ranker, rank_lists, training_rows
from recommendations.training.settings import TrainingSettings
from tests.recommendations.training.fit.fitting import fit_ranker

N_ITEMS = 8
SETTINGS = TrainingSettings(trees=30, min_queries=10, num_threads=1)


def tables():
    columns = np.zeros((N_ITEMS + 1, len(ITEM_COLUMNS)), np.float32)
    columns[:, 0] = np.arange(N_ITEMS + 1)  # by this column the trees can tell items apart
    return RankingTables(
        item_columns=columns,
        item_facts=np.zeros((N_ITEMS + 1, len(ITEM_FEATURES)), np.float32),
        item_vectors=np.zeros((N_ITEMS + 1, 2), np.float32),
        next_indices=np.zeros((N_ITEMS + 1, 1), np.int32),
        next_weights=np.zeros((N_ITEMS + 1, 1), np.float32),
    )


def points_of(targets, kinds=None):
    return TestPoints(
        histories=SessionHistories.of([[N_ITEMS]] * len(targets)),
        targets=np.array(targets, np.int32),
        kinds=np.zeros(len(targets), np.uint8) if kinds is None else np.array(kinds, np.uint8),
    )


def lists_of(n_queries):
    """List items 1 to 5 for each query; 6 and 7 are never found."""
    items = np.tile(np.arange(1, 6, dtype=np.int32), (n_queries, 1))
    return {"tfidf": RankedLists(items=items, scores=np.ones((n_queries, 5), np.float32))}


def test_the_item_that_always_comes_next_comes_first():
    points = points_of([4] * 60)

    booster = fit_ranker(lists_of(60), points, tables(), settings=SETTINGS)
    best = rank_lists(booster, lists_of(60), points, tables(), n=3)

    assert best.shape == (60, 3)
    assert (best[:, 0] == 4).all()


def test_points_whose_target_no_source_found_teach_nothing():
    rows = training_rows(lists_of(12), points_of([4] * 10 + [6, 7]), tables())

    assert rows.n_queries == 10
    candidates = {1, 2, 3, 4, 5, N_ITEMS}  # the item of the session is one
    assert rows.n_rows == 10 * len(candidates)


def test_too_few_points_make_no_ranker():
    assert fit_ranker(lists_of(12), points_of([4] * 9 + [6, 6, 6]), tables(), settings=SETTINGS) is None
    assert fit_ranker(lists_of(10), points_of([4] * 10), tables(), settings=SETTINGS) is not None


def test_a_purchase_is_a_greater_label_than_a_view():
    rows = training_rows(lists_of(30), points_of([4] * 30, [Kind.VIEW, Kind.CART, Kind.PURCHASE] * 10), tables())

    labels = np.concatenate([rows.fit.get_label(), rows.stop.get_label()])
    assert labels[labels > 0].tolist() == [1, 2, 3] * 10


def test_weights_are_those_of_the_points_that_are_kept():
    weights = np.array([9.0] + [2.0] * 19, np.float32)

    rows = training_rows(lists_of(20), points_of([6] + [4] * 19), tables(), weights=weights)

    assert set(rows.fit.get_weight()) == {2.0}


def test_what_is_handed_over_names_the_columns_of_this_release():
    booster = fit_ranker(lists_of(30), points_of([2] * 30), tables(), settings=SETTINGS)

    handed = as_ranker(booster, tables())

    assert handed.columns == COLUMNS
    assert handed.booster_text.count("Tree=") == max(booster.best_iteration, 1)
