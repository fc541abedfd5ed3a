"""A limit of so much a second that a short burst may exceed."""

from __future__ import annotations

import threading


class TokenBucket:
    """Grants at most ``burst``, and ``rate_per_s`` for each second since, whatever the callers' pace. Thread-safe.

    Time is passed in, of any clock that counts seconds; a time before the last one counts as the last one.

    Parameters
    ----------
    rate_per_s : float
        Tokens that come back each second.
    burst : float
        Tokens that a full bucket holds; it is full at first.
    """

    __slots__ = ("_burst", "_lock", "_rate_per_s", "_refilled_at_s", "_tokens")

    def __init__(self, *, rate_per_s: float, burst: float) -> None:
        if rate_per_s <= 0 or burst < 1:
            raise ValueError(f"rate_per_s={rate_per_s!r} must be above 0 and burst={burst!r} at least 1")
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._refilled_at_s: float | None = None
        self._lock = threading.Lock()

    def take(self, now_s: float) -> bool:
        """Take one token and return whether there was one."""
        with self._lock:
            if self._refilled_at_s is None:
                self._refilled_at_s = now_s
            elapsed_s = max(now_s - self._refilled_at_s, 0.0)
            self._refilled_at_s += elapsed_s
            self._tokens = min(self._burst, self._tokens + elapsed_s * self._rate_per_s)
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True
