"""Browsing sessions: events less than half an hour apart, in whatever order they arrive."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from features.definitions import KEEP_SESSIONS, SESSION_GAP_MS
from features.state import activity

MINUTE = 60_000


@given(st.lists(st.integers(0, 10), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_sessions_are_those_of_the_sorted_events(steps: list[int], rnd: object) -> None:
    times = [20 * MINUTE * sum(steps[: n + 1]) for n in range(len(steps))]
    expected: list[list[int]] = [[times[0], times[0], 1]]
    for before, at_ms in pairwise(times):
        if at_ms - before <= SESSION_GAP_MS:
            expected[-1] = [expected[-1][0], at_ms, expected[-1][2] + 1]
        else:
            expected.append([at_ms, at_ms, 1])
    rnd.shuffle(times)  # type: ignore[attr-defined]

    sessions: activity.Sessions = []
    for at_ms in times:
        activity.add_activity(sessions, at_ms)

    assert sessions == expected


def test_an_event_between_two_sessions_joins_them() -> None:
    sessions: activity.Sessions = [[0, MINUTE, 2], [50 * MINUTE, 51 * MINUTE, 3]]

    activity.add_activity(sessions, 25 * MINUTE)

    assert sessions == [[0, 51 * MINUTE, 6]]


def test_only_the_newest_sessions_are_kept() -> None:
    sessions: activity.Sessions = []
    for number in range(KEEP_SESSIONS + 2):
        activity.add_activity(sessions, number * 60 * MINUTE)

    assert [start for start, _, _ in sessions] == [n * 60 * MINUTE for n in range(2, KEEP_SESSIONS + 2)]
