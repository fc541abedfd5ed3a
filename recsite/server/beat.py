"""Celery's beat with a clean stop: SIGTERM ends it between two ticks, and never inside one.

Celery's own handler saves the schedule wherever the signal lands. Where that is a query of django-celery-beat, saving
closes the connection that the query runs on; its error is caught by whoever sent the query, the stop is lost with it,
and beat ticks on until it is killed.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType
from typing import Any, Final

from celery.apps import beat

RETRY_S: Final = 0.05
GRACE_S: Final = 5.0
"""How long a tick may go on after SIGTERM: one that waits for its broker has no end."""


class Beat(beat.Beat):  # type: ignore[misc]  # celery ships no types
    """``celery -A recsite beat``."""

    def install_sync_handler(self, service: Any) -> None:
        """Stop on SIGTERM and SIGINT as soon as ``service`` is between two ticks; it then saves the schedule itself."""
        handler = StopBetweenTicks(service)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, handler)


class StopBetweenTicks:
    """A signal handler that looks again every 50 ms until the loop itself runs, which is mostly asleep.

    Parameters
    ----------
    service : celery.beat.Service
        Its ``start`` is the loop; an exception that arises there is taken as the stop.
    """

    def __init__(self, service: Any) -> None:
        self._loop = type(service).start.__code__
        self._asked_s: float | None = None
        self._is_stopping = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise ``SystemExit`` in the loop, or come again; end the process when a tick outstays ``GRACE_S``."""
        if self._is_stopping:
            return
        now_s = time.monotonic()
        if self._asked_s is None:
            self._asked_s = now_s
        if frame is not None and frame.f_code is self._loop:
            self._is_stopping = True
            raise SystemExit
        if now_s - self._asked_s > GRACE_S:
            os._exit(0)
        signal.setitimer(signal.ITIMER_REAL, RETRY_S)
