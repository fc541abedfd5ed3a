"""The formulas that graphs are held against, on worlds small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.graphs.reference import als_answers, neighbour_scores, session_scores
from recommendations.training.fitted import AlsFactors, Neighbours, SessionIndex
from tests.recommendations.graphs.running import als_scores

# One factor: item 1 is 1, item 2 is 2. YᵀY + λ = 1 + 4 + 1.
FACTORS = AlsFactors(
    item_factors=np.array([[0], [1], [2]], np.float32), regularization=1.0, alpha=2.0, decay=0.5, last_n=2
)


def test_als_solves_the_normal_equation_of_one_factor() -> None:
    # Confidence 3 of item 1: (6 + 2) x = 3.
    np.testing.assert_allclose(als_scores(FACTORS, [1], [1.0]), [0, 3 / 8, 6 / 8])


def test_als_adds_up_the_confidence_of_a_repeated_item_and_forgets_what_is_older_than_last_n() -> None:
    # Item 1 now and one step ago: confidence 1 + 2 + 1 = 4. The item 2 before that is the third and does not count.
    expected = [0, 4 / 9, 8 / 9]
    np.testing.assert_allclose(als_scores(FACTORS, [2, 1, 1], [1.0, 1.0, 1.0]), expected)
    assert not als_scores(FACTORS, [1], [0.0]).any(), "an interaction of weight 0 is none"


def test_several_sessions_are_answered_each_as_alone() -> None:
    together = als_answers(FACTORS, [[1], [2, 1]], [[1.0], [1.0, 3.0]])
    np.testing.assert_allclose(together[0], als_scores(FACTORS, [1], [1.0]))
    np.testing.assert_allclose(together[1], als_scores(FACTORS, [2, 1], [1.0, 3.0]))


def test_neighbours_add_up_decayed_weights_and_padding_scores_nothing() -> None:
    table = Neighbours(
        name="table",
        indices=np.array([[0, 0], [3, 2], [3, 0], [0, 0]], np.int32),
        weights=np.array([[9, 9], [1.0, 0.5], [0.25, 0], [0, 0]], np.float32),
        decay=0.5,
        last_n=2,
    )
    assert neighbour_scores(table, [1, 2], [1.0, 4.0]).tolist() == [0, 0, 0.25, 4 * 0.25 + 0.5]
    assert neighbour_scores(table, [1, 2, 3], [1.0, 1.0, 1.0]).tolist() == [0, 0, 0, 0.125]


@pytest.mark.parametrize(("neighbours", "expected"), [(10, [0, 2, 1, 1]), (1, [0, 1, 0, 1])])
def test_sessions_keep_the_newer_of_equals(neighbours: int, expected: list[float]) -> None:
    step = np.exp(-1.0)
    sessions = SessionIndex(
        postings=np.array([[0, 0], [2, 1], [1, 0], [2, 0]], np.int32),
        session_items=np.array([[0, 0], [1, 2], [1, 3]], np.int32),
        session_weights=np.array([0, 1, 1], np.float32),
        item_weights=np.array([0, 1, 1, 1], np.float32),
        neighbours=neighbours,
        max_history=20,
        position_decay=1.0,
        overlap_decay=1.0,
        distance_decay=1.0,
    )
    np.testing.assert_allclose(session_scores(sessions, [1], [1.0]), np.array(expected) * [0, 1, step, step])
