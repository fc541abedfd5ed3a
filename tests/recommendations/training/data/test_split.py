from __future__ import annotations

import numpy as np
import pytest

from features.definitions import KEEP_SESSION_RECENTS
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import InvalidDataset, Kind
from recommendations.training.data.split import points_at_every_position, split_by_time


def test_the_latest_sessions_are_held_out():
    log = log_from_sessions([[f"i{n}"] for n in range(10)])

    earlier, later = split_by_time(log, held_out=0.2)

    assert [log.item_ids[i] for i in earlier.items] == [f"i{n}" for n in range(8)]
    assert [log.item_ids[i] for i in later.items] == ["i8", "i9"]


@pytest.mark.parametrize("held_out", [0.0, 1.0, 0.01])
def test_a_split_that_leaves_a_side_empty_is_refused(held_out):
    with pytest.raises(InvalidDataset):
        split_by_time(log_from_sessions([["a"], ["b"]]), held_out=held_out)


def test_every_position_but_the_first_is_a_point():
    log = log_from_sessions([["a", "b", "a"], ["c"], ["b", "c"]])
    a, b, c = 1, 2, 3

    points = points_at_every_position(log)

    assert [points.histories[i].tolist() for i in range(len(points))] == [[a], [a, b], [b]]
    assert points.targets.tolist() == [b, a, c]
    assert points.is_new().tolist() == [True, False, True]
    assert points.sessions is not None
    assert points.sessions.tolist() == [0, 0, 2]
    assert points.take(np.array([2, 0])).sessions.tolist() == [2, 0]


def test_a_history_is_what_serving_knows_of_the_session():
    long = [f"i{n:03d}" for n in range(KEEP_SESSION_RECENTS + 9)]
    points = points_at_every_position(log_from_sessions([long]))

    assert [len(points.histories[i]) for i in (0, KEEP_SESSION_RECENTS - 1, len(points) - 1)] == [
        *(1, KEEP_SESSION_RECENTS, KEEP_SESSION_RECENTS)
    ]
    assert points.histories[len(points) - 1].tolist() == list(range(9, KEEP_SESSION_RECENTS + 9))


def test_an_item_is_purchased_once_in_a_history():
    log = log_from_sessions([["a", "b", "a", "b", "c"], ["a", "a"]])
    log.kinds[[0, 2, 3, 5]] = Kind.PURCHASE
    a, b, c = 1, 2, 3

    points = points_at_every_position(log)

    assert [points.histories[i].tolist() for i in range(len(points))] == [[a], [a, b], [b, a], [b, a, b], [a]]
    assert points.targets.tolist() == [b, a, b, c, a]


def test_taken_points_keep_history_and_target_together():
    points = points_at_every_position(log_from_sessions([["a", "b", "a"], ["b", "c"]]))

    taken = points.take([2, 0])

    assert [taken.histories[i].tolist() for i in range(2)] == [[2], [1]]
    assert taken.targets.tolist() == [3, 2]


def test_points_may_be_the_newest_or_some_of_all(aisles):
    every = points_at_every_position(aisles)
    newest, some = points_at_every_position(aisles, newest=30), points_at_every_position(aisles, most=40)

    np.testing.assert_array_equal(newest.targets, every.targets[-30:])
    np.testing.assert_array_equal(
        newest.histories.items, every.take(np.arange(len(every) - 30, len(every))).histories.items
    )
    assert len(some) == 40
    assert some.targets[-1] == every.targets[-1]
