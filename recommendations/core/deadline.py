"""How many milliseconds of a request's budget are left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def monotonic_ms() -> float:
    """Return the monotonic clock in milliseconds; only differences mean something."""
    return time.perf_counter() * 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A point on the monotonic clock, made where the request arrives and passed down to who spends the time."""

    ends_ms: float
    clock: Callable[[], float] = monotonic_ms

    @classmethod
    def after(cls, budget_ms: float, *, clock: Callable[[], float] = monotonic_ms) -> Deadline:
        """Return the deadline that is ``budget_ms`` from now."""
        return cls(ends_ms=clock() + budget_ms, clock=clock)

    @property
    def left_ms(self) -> float:
        """What is left; never negative."""
        return max(0.0, self.ends_ms - self.clock())

    @property
    def left_s(self) -> float:
        """What is left, as libraries want it."""
        return self.left_ms / 1000.0

    def has(self, needed_ms: float) -> bool:
        """Return whether ``needed_ms`` can still be spent."""
        return self.ends_ms - self.clock() >= needed_ms
