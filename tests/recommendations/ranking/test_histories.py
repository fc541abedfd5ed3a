"""Histories of different lengths in one array: each comes back whole, in whatever order."""

from __future__ import annotations

import numpy as np

from recommendations.ranking.histories import SessionHistories

HISTORIES = SessionHistories.of([[5, 6, 7], [], [8], [9, 5]])


def test_each_history_comes_back_as_it_was_given() -> None:
    assert [HISTORIES[row].tolist() for row in range(len(HISTORIES))] == [[5, 6, 7], [], [8], [9, 5]]
    assert HISTORIES.items.dtype == np.int32
    assert HISTORIES.lengths.tolist() == [3, 0, 1, 2]


def test_each_item_knows_its_history_and_its_age_in_it() -> None:
    assert HISTORIES.query_of.tolist() == [0, 0, 0, 2, 3, 3]
    assert HISTORIES.ages.tolist() == [2, 1, 0, 0, 1, 0]


def test_some_are_taken_in_the_order_asked_for_and_twice_where_asked_twice() -> None:
    taken = HISTORIES.take(np.array([3, 1, 0, 3]))

    assert [taken[row].tolist() for row in range(len(taken))] == [[9, 5], [], [5, 6, 7], [9, 5]]
    assert taken.ages.tolist() == [1, 0, 2, 1, 0, 1, 0]


def test_no_histories_are_none() -> None:
    nothing = SessionHistories.of([])

    assert len(nothing) == len(nothing.items) == len(nothing.take(np.empty(0, np.int64))) == 0
