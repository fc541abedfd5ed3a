"""Whether the clock of this process is right: what it is ahead of the clock of Redis, looked at now and then.

A stream worker puts the times of records right by the log's clock; what it says of the present (how fresh features
are, when it saw what) goes by its own, which nobody else would miss.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import redis

from tracking.contract.clocks import TOLERANCE_MS

logger = logging.getLogger(__name__)

NAME: Final = f"{socket.gethostname()[:64]}"


class OwnClock:
    """The clock of this process beside that of Redis.

    Attributes
    ----------
    ahead_ms : int
        What our clock is ahead of that of Redis; 0 within ``TOLERANCE_MS``, and until it was asked.

    Parameters
    ----------
    clock : callable
        Epoch milliseconds by our own clock.
    """

    def __init__(self, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._clock = clock
        self.ahead_ms = 0

    @property
    def process(self) -> str:
        """Return how it is named to those who look after it: ``host:pid``."""
        return f"{NAME}:{os.getpid()}"

    def now_ms(self) -> int:
        """Return epoch milliseconds as Redis has them, as far as we know."""
        return self._clock() - self.ahead_ms

    def look(self, client: redis.Redis) -> None:
        """Ask Redis for the time; one round trip. Where it cannot be asked, everything stays what it was."""
        before_ms = self._clock()
        try:
            found: Any = client.time()
        except redis.RedisError as error:
            logger.debug("clock.unreadable error=%s", error)
            return
        seconds, micros = next(iter(found.values())) if isinstance(found, dict) else found  # a cluster: by node
        their_ms = int(seconds) * 1_000 + int(micros) // 1_000
        # Between our two looks lies theirs: only what is beyond both is certain.
        ahead_ms = max(before_ms - their_ms, 0) or min(self._clock() - their_ms, 0)
        self.ahead_ms = ahead_ms if abs(ahead_ms) > TOLERANCE_MS else 0
