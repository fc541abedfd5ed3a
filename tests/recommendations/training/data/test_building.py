"""Rows of interactions in any order become sessions in the order of their ends."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recommendations.training.data import building
from recommendations.training.data.building import log_from_columns, log_from_frame, log_from_sessions
from recommendations.training.data.dataset import InvalidDataset, Kind


def sessions_of(log):
    return [
        [log.item_ids[i] for i in log.items[start:end]]
        for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)
    ]


def test_sessions_keep_their_order_and_items():
    log = log_from_sessions([["b", "a"], [], ["a"]])

    assert sessions_of(log) == [["b", "a"], ["a"]]


def test_frame_without_sessions_is_cut_after_thirty_quiet_minutes_per_user():
    minute = 60_000
    frame = pl.DataFrame(
        {
            "user_key": ["u", "v", "u", "u"],
            "item_id": ["a", "b", "c", "d"],
            "kind": ["view", "view", "cart", "purchase"],
            "occurred_at_ms": [0, 1 * minute, 30 * minute, 61 * minute],
        }
    )

    log = log_from_frame(frame)

    assert sessions_of(log) == [["b"], ["a", "c"], ["d"]]
    assert log.kinds.tolist() == [Kind.VIEW, Kind.VIEW, Kind.CART, Kind.PURCHASE]
    assert log.users[1] == log.users[2] != log.users[0]


def test_sessions_are_ordered_by_their_ends_not_their_starts():
    frame = pl.DataFrame(
        {
            "session_id": ["long", "short", "long"],
            "item_id": ["a", "b", "c"],
            "kind": ["view"] * 3,
            "occurred_at_ms": [0, 10, 20],
        }
    )

    log = log_from_frame(frame)

    assert sessions_of(log) == [["b"], ["a", "c"]]
    assert log.ended_at_ms.tolist() == [10, 20]
    assert log.users.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"item_id": ["a"], "kind": ["view"]}), "no column 'occurred_at_ms'"),
        (pl.DataFrame({"item_id": ["a"], "kind": ["view"], "occurred_at_ms": [1]}), "nothing says who acted"),
        (
            pl.DataFrame({"item_id": ["a"], "kind": ["hover"], "occurred_at_ms": [1], "user_key": ["u"]}),
            "kind='hover' is none of view, cart, purchase",
        ),
        (
            pl.DataFrame(
                schema={"item_id": pl.String, "kind": pl.String, "occurred_at_ms": pl.Int64, "user_key": pl.String}
            ),
            "holds no interaction",
        ),
    ],
)
def test_unusable_frames_are_refused_with_the_reason(frame, message):
    with pytest.raises(InvalidDataset, match=message):
        log_from_frame(frame)


def test_rows_in_any_order_become_sessions_in_the_order_of_their_ends(monkeypatch):
    monkeypatch.setattr(building, "PIECE", 2)
    columns = {
        "items": np.array([1, 2, 3, 4, 5], np.int32),
        "kinds": np.array([0, 0, 2, 0, 1], np.uint8),
        "occurred_at_ms": np.array([50, 10, 40, 20, 30]),
        "sessions": np.array([7, 7, 9, 9, 8], np.uint64),
        "users": np.array([3, -1, 5, 5, -1]),
    }

    log = log_from_columns(("", *"abcde"), columns)

    assert [log.items[s:e].tolist() for s, e in zip(log.offsets[:-1], log.offsets[1:], strict=True)] == [
        [5],
        [4, 3],
        [2, 1],
    ]
    assert log.users.tolist() == [-1, 1, 0]
    assert log.kinds.tolist() == [Kind.CART, Kind.VIEW, Kind.PURCHASE, Kind.VIEW, Kind.VIEW]
    assert not columns
