"""Item-item tables in shops small enough to count by hand."""

from __future__ import annotations

import numpy as np

from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import Kind
from recommendations.training.fit.neighbours import fit_baskets, fit_covisitation, fit_next, fit_vector_neighbours


def index_of(log, *item_ids):
    return [log.item_ids.index(item_id) for item_id in item_ids]


def test_baskets_ignore_what_was_only_viewed():
    log = log_from_sessions([["cup", "saucer", "spoon"]] * 3)
    kinds = np.array([Kind.PURCHASE, Kind.CART, Kind.VIEW] * 3, np.uint8)
    log = type(log)(**{name: getattr(log, name) for name in log.__slots__} | {"kinds": kinds})

    table = fit_baskets(log)

    cup, saucer, spoon = index_of(log, "cup", "saucer", "spoon")
    assert table.indices[cup][table.weights[cup] > 0].tolist() == [saucer]
    assert not table.weights[spoon].any()


def test_covisitation_counts_a_purchase_more_than_a_view():
    log = log_from_sessions([["a", "b"], ["a", "c"]])
    kinds = np.array([Kind.VIEW, Kind.VIEW, Kind.VIEW, Kind.PURCHASE], np.uint8)
    log = type(log)(**{name: getattr(log, name) for name in log.__slots__} | {"kinds": kinds})

    table = fit_covisitation(log, backward=0.0)

    a, b, c = index_of(log, "a", "b", "c")
    assert table.indices[a][:2].tolist() == [c, b]
    np.testing.assert_allclose(table.weights[a][:2], [0.75, 0.25])


def test_vector_neighbours_are_the_nearest_of_the_popular_items():
    vectors = np.array([[0, 0], [1, 0], [0, 1], [0.8, 0.6], [0.6, 0.8]], np.float32)

    everywhere = fit_vector_neighbours("v", vectors, k=2)
    popular = fit_vector_neighbours("v", vectors, k=2, among=4)

    assert everywhere.indices[4].tolist() == [4, 3]
    assert popular.indices[4].tolist() == [3, 2]
    np.testing.assert_allclose(popular.weights[4], [0.96, 0.8])
    assert not popular.weights[0].any()


def test_next_counts_what_follows_by_its_distance_and_never_what_came_before():
    log = log_from_sessions([["a", "b", "c"], ["a", "b"]])

    table = fit_next(log, k=3)

    a, b, c = index_of(log, "a", "b", "c")
    assert table.indices[a][:2].tolist() == [b, c]
    np.testing.assert_allclose(table.weights[a][:2], [2 / 2.5, 0.5 / 2.5])
    assert table.indices[b].tolist() == [c, 0, 0]
    assert not table.weights[c].any()
    assert table.last_n == 1
