"""A circuit breaker: what fails again and again is left alone, tried once, and asked again when it answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from recommendations.core.words import Worded, gettext_noop
from recommendations.metrics import OUTSIDE_RESTS

logger = logging.getLogger(__name__)

FAILURES: Final = 5
"""So many in a row, slow answers among them, and it is not asked for ``REST_S``."""

REST_S: Final = 30.0


class Circuit(Worded):
    """Whether a service is asked."""

    UNUSED = "unused", gettext_noop("not asked yet")
    CLOSED = "closed", gettext_noop("asked, and it answers")
    FAILING = "failing", gettext_noop("asked; the last time it did not answer")
    OPEN = "open", gettext_noop("left alone after failures")
    TRIED = "tried", gettext_noop("tried once after a rest")


@dataclass(slots=True)
class Breaker:
    """What one process knows of one service. Thread-safe; the clock is monotonic, in seconds.

    Attributes
    ----------
    counts : mapping of result to int
        What came of each request since the process began: ``answered``, ``slow``, ``failed``, ``wrong``.
    last_error : str
        What the last failure said.
    """

    site: str
    name: str
    clock: Callable[[], float] = time.monotonic
    counts: dict[str, int] = field(default_factory=dict)
    last_error: str = ""
    _in_a_row: int = 0
    _rests_until_s: float = 0.0
    _is_tried: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def state(self) -> Circuit:
        """Whether it is asked now."""
        if self._is_tried:
            return Circuit.TRIED
        if self._in_a_row >= FAILURES:
            return Circuit.OPEN
        if self._in_a_row:
            return Circuit.FAILING
        return Circuit.CLOSED if self.counts else Circuit.UNUSED

    def may_ask(self) -> bool:
        """Return whether a request may be sent now; after a rest, to one caller alone until it has an answer."""
        if self._in_a_row < FAILURES:
            return True
        with self._lock:
            if self._is_tried or self.clock() < self._rests_until_s:
                return False
            self._is_tried = True
            return True

    def answered(self) -> None:
        """Note an answer that was good and in time."""
        with self._lock:
            if self._in_a_row >= FAILURES:
                logger.info("retrieve.outside_back source=%s", self.name)
                OUTSIDE_RESTS.labels(self.site, self.name).set(0)
            self._in_a_row = 0
            self._is_tried = False
            self.counts["answered"] = self.counts.get("answered", 0) + 1

    def failed(self, result: str, detail: str) -> None:
        """Note that there was none: ``slow``, ``failed`` or ``wrong``, and what happened."""
        with self._lock:
            self._is_tried = False
            self._in_a_row += 1
            self.counts[result] = self.counts.get(result, 0) + 1
            self.last_error = detail
            if self._in_a_row >= FAILURES:
                self._rests_until_s = self.clock() + REST_S
                OUTSIDE_RESTS.labels(self.site, self.name).set(1)
                logger.warning("retrieve.outside_rests source=%s rest_s=%s detail=%r", self.name, REST_S, detail)

    def given_up(self) -> None:
        """Note that nobody waits for the trial any more: the next caller may try."""
        with self._lock:
            self._is_tried = False
