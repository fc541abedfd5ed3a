"""Factors bring together what sessions hold together."""

from __future__ import annotations

import numpy as np

from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import popularity_vocabulary
from recommendations.training.fit.als import fit_als, unit_vectors


def test_items_of_one_aisle_point_the_same_way_and_those_of_two_do_not(aisles):
    vectors = unit_vectors(fit_als(aisles, factors=12, seed=1).item_factors)[1:]
    aisle = np.array([item_id[:2] for item_id in aisles.item_ids[1:]])

    cosine = vectors @ vectors.T
    same = aisle[:, None] == aisle[None]

    assert cosine[same].mean() > 0.5
    assert abs(cosine[~same].mean()) < 0.1


def test_an_item_without_interactions_has_no_factors():
    log = log_from_sessions([["a", "b"], ["b", "c"]] * 5)
    log = log.reindexed(popularity_vocabulary(log, catalogue=["unsold"]))

    fitted = fit_als(log, factors=2, iterations=2, regularization=0.1, alpha=3.0)

    used = fitted.item_factors.any(axis=1)
    assert used.tolist() == [False, True, True, True, False]
    assert (fitted.regularization, fitted.alpha) == (0.1, 3.0)


def test_the_seed_decides_the_factors(aisles):
    one, same, other = (fit_als(aisles, factors=4, iterations=2, seed=seed).item_factors for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_vectors_are_scaled_to_length_one_and_zeros_stay():
    scaled = unit_vectors(np.array([[0, 0], [3, 4], [0, -2]], np.float32))

    np.testing.assert_allclose(scaled, [[0, 0], [0.6, 0.8], [0, -1]], rtol=1e-6)
    assert scaled.dtype == np.float32
