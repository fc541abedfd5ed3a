"""The rule that a model has to beat."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.seen_first import seen_first
from recommendations.ranking.histories import SessionHistories


def test_what_was_seen_comes_newest_first_and_the_list_follows_without_it() -> None:
    histories = SessionHistories.of([[3, 5, 3], [9], []])
    lists = np.array([[5, 7, 3, 8, 0], [1, 2, 9, 4, 6], [2, 1, 0, 0, 0]], np.int32)

    listed = seen_first(histories, lists, k=5)

    assert listed.tolist() == [[3, 5, 7, 8, 0], [9, 1, 2, 4, 6], [2, 1, 0, 0, 0]]


def test_a_long_session_fills_the_list_by_itself() -> None:
    listed = seen_first(SessionHistories.of([[1, 2, 3, 4]]), np.array([[9, 8]], np.int32), k=2)

    assert listed.tolist() == [[4, 3]]
