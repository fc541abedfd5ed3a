"""Worlds in which what is clicked is not what is liked, and what sells is not what has the margin."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.batch import RankingTables
from recommendations.ranking.columns import ITEM_COLUMNS, ITEM_FEATURES
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import RankedLists
from recommendations.training.data.dataset import InvalidDataset
from recommendations.training.data.label_weights import MAX_POSITIONS, Impressions, examination, label_weights
from recommendations.training.data.split import TestPoints
from recommendations.training.fit.ranker import rank_lists
from recommendations.training.settings import RankerParameters, TrainingSettings
from tests.recommendations.training.fit.fitting import fit_ranker

N = 10
ASKED = N + 1
ITEMS = np.arange(1, N + 1)
LOOKED = 1 / np.arange(1, N + 1)
LIKED = 0.1 + 0.04 * ITEMS  # the shop shows item 1 first and item 10 last; shoppers like them the other way round
SETTINGS = TrainingSettings(
    trees=100,
    min_queries=10,
    num_threads=1,
    ranker=RankerParameters(learning_rate=0.02, feature_fraction=1.0, bagging_fraction=1.0, num_leaves=11),
)


def tables():
    rng = np.random.default_rng(0)
    columns = np.zeros((N + 2, len(ITEM_COLUMNS)), np.float32)
    columns[:, 0] = rng.permutation(N + 2)  # a number for each item, that the trees can tell it by
    return RankingTables(
        item_columns=columns,
        item_facts=np.zeros((N + 2, len(ITEM_FEATURES)), np.float32),
        item_vectors=np.zeros((N + 2, 2), np.float32),
        next_indices=np.zeros((N + 2, 1), np.int32),
        next_weights=np.zeros((N + 2, 1), np.float32),
    )


def lists_of(n_queries):
    items = np.tile(ITEMS, (n_queries, 1)).astype(np.int32)
    return {"tfidf": RankedLists(items=items, scores=np.ones((n_queries, N), np.float32))}


def points_of(targets, positions=None):
    n = len(targets)
    return TestPoints(
        histories=SessionHistories(items=np.full(n, ASKED, np.int32), offsets=np.arange(n + 1)),
        targets=np.asarray(targets, np.int32),
        kinds=np.zeros(n, np.uint8),
        positions=None if positions is None else np.asarray(positions, np.int16),
    )


def order_learnt(points, weights):
    booster = fit_ranker(lists_of(len(points)), points, tables(), settings=SETTINGS, weights=weights)
    one = points.take(np.array([0]))
    listed = rank_lists(booster, lists_of(1), one, tables(), n=N + 1)[0]
    return [item for item in listed.tolist() if item != ASKED]


@pytest.fixture(scope="module")
def shop():
    """Lists in the shop's order, one in five shuffled: what was clicked, where, and the counts of both."""
    rng = np.random.default_rng(8)
    shown, clicked = np.zeros((N + 1, N), np.int64), np.zeros((N + 1, N), np.int64)
    targets, positions = [], []
    for _ in range(25_000):
        order = rng.permutation(ITEMS) if rng.random() < 0.2 else ITEMS
        shown[order, np.arange(N)] += 1
        for position in np.flatnonzero(rng.random(N) < LOOKED * LIKED[order - 1]):
            clicked[order[position], position] += 1
            targets.append(order[position])
            positions.append(position)
    items, shown_at = np.nonzero(shown)
    impressions = Impressions(
        items=items.astype(np.int32),
        positions=shown_at.astype(np.int16),
        shown=shown[items, shown_at],
        clicked=clicked[items, shown_at],
    )
    return points_of(targets, positions), impressions


@pytest.mark.slow
def test_the_chance_that_a_place_is_looked_at_is_told_from_what_stood_there(shop):
    _, impressions = shop

    found = examination(impressions)

    assert found[:N].tolist() == pytest.approx(LOOKED.tolist(), rel=0.12)
    assert len(found) == MAX_POSITIONS


@pytest.mark.slow
def test_the_uncorrected_ranker_learns_the_shops_order_and_the_corrected_one_what_is_liked(shop):
    points, impressions = shop
    settings = TrainingSettings(position_clip=20)
    weights = label_weights(points, settings=settings, looked=examination(impressions))

    as_clicked, corrected = order_learnt(points, None), order_learnt(points, weights)

    assert as_clicked[:2] == [1, 2]
    assert corrected[-2:] == [2, 1]
    assert np.corrcoef(corrected, np.arange(N))[0, 1] < -0.95


def test_no_label_counts_more_than_the_clip_allows():
    looked = np.full(MAX_POSITIONS, 0.01, np.float32)
    looked[0] = 1
    settings = TrainingSettings(position_clip=5)

    weights = label_weights(points_of([1, 2, 3], [0, 40, -1]), settings=settings, looked=looked)

    assert (weights / weights[0]).tolist() == pytest.approx([1, 5, 1])


@pytest.mark.slow
def test_of_two_items_that_sell_alike_the_one_with_the_higher_margin_comes_first():
    rng = np.random.default_rng(1)
    points = points_of(np.where(rng.random(4_000) < 0.55, 3, 7))
    profits = np.full(N + 2, np.nan, np.float32)
    profits[[3, 7]] = 1, 4

    by_sales = order_learnt(points, None)
    by_margin = order_learnt(
        points, label_weights(points, settings=TrainingSettings(margin_weight=1.0), profits=profits)
    )

    assert by_sales[:2] == [3, 7]
    assert by_margin[:2] == [7, 3]


def test_an_item_without_a_cost_counts_as_the_mean():
    profits = np.array([np.nan, 1, 3, np.nan], np.float32)

    weights = label_weights(points_of([1, 2, 3]), settings=TrainingSettings(margin_weight=0.5), profits=profits)

    assert weights.tolist() == pytest.approx([0.75, 1.25, 1.0])


def test_without_a_wish_all_labels_count_alike(shop):
    points, impressions = shop

    assert label_weights(points, settings=TrainingSettings(), looked=examination(impressions)) is None


@pytest.mark.parametrize("wrong", [{"margin_weight": 1.5}, {"position_clip": 0.5}, {"tune_minutes": -1}])
def test_wishes_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(InvalidDataset, match=next(iter(wrong))):
        TrainingSettings(**wrong)
