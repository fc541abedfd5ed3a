"""A halted partition is tried again ever more rarely, and at once as new when it has recovered."""

from __future__ import annotations

import pytest

from features.stream.halts import RETRY_S, Halts

pytestmark = pytest.mark.expects_errors(r"stream\.halted")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(halts: Halts, clock: Clock, partition: int) -> float:
    """Let a partition fail, and return how long it is not tried again (seconds, by quarters)."""
    halts.add(partition, ValueError("again"))
    began = clock.now
    while partition not in halts.take_due():
        clock.now += 0.25
    return clock.now - began


def test_each_failure_in_a_row_waits_longer_up_to_the_longest() -> None:
    clock = Clock()
    halts = Halts(clock=clock)

    assert [waits(halts, clock, 3) for _ in range(len(RETRY_S) + 2)] == [*RETRY_S, RETRY_S[-1], RETRY_S[-1]]


def test_a_partition_that_recovered_or_was_taken_away_begins_again() -> None:
    clock = Clock()
    halts = Halts(clock=clock)
    for end in (halts.recovered, halts.forget):
        waits(halts, clock, 1)
        waits(halts, clock, 1)
        end(1)

        assert waits(halts, clock, 1) == RETRY_S[0]
        halts.forget(1)


def test_only_the_failing_partition_waits_and_says_why() -> None:
    halts = Halts(clock=Clock())
    halts.add(2, KeyError("x"))

    assert (2 in halts, 1 in halts, halts.errors) == (True, False, {2: "KeyError: 'x'"})
