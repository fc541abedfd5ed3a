"""Partitions that wait because their batch fails, while the others of the worker go on.

What fails is neither a record (those are put aside) nor Redis or the log (for those all partitions wait): a state that
a newer program wrote, or a mistake of ours. Such a partition is tried again, ever more rarely, from where it stands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from features import metrics

logger = logging.getLogger(__name__)

RETRY_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)


class Halt(NamedTuple):
    """How often a partition has failed in a row, why, and when it is tried again (seconds of the clock)."""

    failures: int
    error: str
    retry_at: float


class Halts:
    """The halted partitions of one worker; ``clock`` gives monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._halts: dict[int, Halt] = {}
        self._tried: dict[int, int] = {}  # failures of partitions that are being tried again

    def __contains__(self, partition: int) -> bool:
        return partition in self._halts

    @property
    def errors(self) -> dict[int, str]:
        """Why each halted partition waits."""
        return {partition: halt.error for partition, halt in self._halts.items()}

    def add(self, partition: int, error: Exception) -> None:
        """Let a partition wait; longer each time in a row."""
        failures = self._tried.pop(partition, 0)
        retry_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
        self._halts[partition] = Halt(failures + 1, f"{type(error).__name__}: {error}", self._clock() + retry_s)
        metrics.STREAM_FAILURES.labels(error=type(error).__name__).inc()
        metrics.STREAM_HALTED.labels(partition=str(partition)).set(1)
        logger.error("stream.halted partition=%s retry_s=%s", partition, retry_s, exc_info=error)

    def take_due(self) -> list[int]:
        """Return the partitions whose time to be tried again has come; they are halted no more."""
        now = self._clock()
        due = [partition for partition, halt in self._halts.items() if halt.retry_at <= now]
        for partition in due:
            self._tried[partition] = self._halts.pop(partition).failures
        return due

    def recovered(self, partition: int) -> None:
        """Note that a batch of the partition was written."""
        if self._tried.pop(partition, 0):
            metrics.STREAM_HALTED.labels(partition=str(partition)).set(0)
            logger.warning("stream.recovered partition=%s", partition)

    def forget(self, partition: int) -> None:
        """Forget a partition that another worker has now."""
        if self._halts.pop(partition, None) is not None or self._tried.pop(partition, None) is not None:
            metrics.STREAM_HALTED.labels(partition=str(partition)).set(0)
