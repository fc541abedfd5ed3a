"""A deadline counts down on the clock that it was given."""

from __future__ import annotations

from recommendations.core.deadline import Deadline


class Clock:
    """A clock that the test moves."""

    now_ms = 1_000.0

    def __call__(self) -> float:
        return self.now_ms


def test_what_is_left_falls_with_the_clock_and_never_below_zero() -> None:
    clock = Clock()
    deadline = Deadline.after(50.0, clock=clock)
    left = [deadline.left_ms]

    for now_ms in (1_020.0, 1_050.0, 1_090.0):
        clock.now_ms = now_ms
        left.append(deadline.left_ms)

    assert left == [50.0, 30.0, 0.0, 0.0]
    assert deadline.left_s == 0.0


def test_time_may_be_spent_up_to_the_last_millisecond() -> None:
    clock = Clock()
    deadline = Deadline.after(10.0, clock=clock)

    assert deadline.has(10.0)
    clock.now_ms += 0.5
    assert not deadline.has(10.0)
    assert deadline.has(9.5)
