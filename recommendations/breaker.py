"""A circuit breaker: after a few failures in a row, do not ask again for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from recommendations.deadline import monotonic_ms

FAILURES_TO_OPEN: Final = 3
OPEN_MS: Final = 1_000.0


class CircuitBreaker:
    """Closed: ask. Open: refuse at once. When the pause is over, one caller tries, and its luck decides.

    For one event loop or under one lock; it is not thread-safe.
    """

    def __init__(
        self,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        open_ms: float = OPEN_MS,
        clock: Callable[[], float] = monotonic_ms,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._open_ms = open_ms
        self._clock = clock
        self._failures = 0
        self._retry_at_ms: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused at the moment."""
        return self._retry_at_ms is not None and self._clock() < self._retry_at_ms

    def allows(self) -> bool:
        """Return whether to ask; after a pause only the first caller is let through until it reports back."""
        if self._retry_at_ms is None:
            return True
        now_ms = self._clock()
        if now_ms < self._retry_at_ms:
            return False
        self._retry_at_ms = now_ms + self._open_ms
        return True

    def succeeded(self) -> None:
        """Close."""
        self._failures = 0
        self._retry_at_ms = None

    def failed(self) -> None:
        """Count a failure, and open when there were enough in a row."""
        self._failures += 1
        if self._failures >= self._failures_to_open:
            self._retry_at_ms = self._clock() + self._open_ms
