"""What a stream worker has done, as ``celery inspect stream``, the metrics and tests see it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from features import metrics
from features.state import progress
from features.stream.in_flight import InFlightBatch
from tracking.log import Position

logger = logging.getLogger(__name__)

MAX_CLOCKS: Final = 50


@dataclass(slots=True)
class Status:
    """Where a worker stands; its totals are of this process alone, those of all time are in ``progress``."""

    positions: dict[int, Position] = field(default_factory=dict)
    lag_records: dict[int, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(progress.OUTCOMES, 0))
    records: int = 0
    batches: int = 0
    fenced: int = 0
    is_paused: bool = False
    halted: dict[int, str] = field(default_factory=dict)  # partitions that wait alone, and why
    foreign: dict[int, str] = field(default_factory=dict)  # partitions whose position is of another log
    clocks_off: dict[str, int] = field(default_factory=dict)  # processes whose clock is off, by how many ms: not noted
    _named: set[str] = field(default_factory=set)
    freshness_ms: int | None = None

    def count(self, batch: InFlightBatch, *, now_ms: int) -> None:
        """Add what a batch did, here and to the metrics."""
        parsed = batch.parsed
        self.batches += 1
        self.records += len(parsed.records)
        for outcome, amount in batch.outcomes.items():
            if amount:
                self.outcomes[outcome] += amount
                metrics.STREAM_EVENTS.labels(outcome=outcome).inc(amount)
        metrics.STREAM_RECORDS.inc(len(parsed.records))
        metrics.STREAM_BATCH_SECONDS.observe(batch.seconds)
        for process, off_ms in parsed.clocks_off.items():
            self.name_clock(process, off_ms, now_ms=now_ms)
        if parsed.newest_received_ms:
            self.freshness_ms = max(0, now_ms - parsed.newest_received_ms)
            metrics.STREAM_FRESHNESS_SECONDS.observe(self.freshness_ms / 1_000)

    def name_clock(self, process: str, off_ms: int, *, now_ms: int) -> None:
        """Say that the clock of a process is off."""
        if process not in self._named:
            if len(self._named) >= MAX_CLOCKS:
                return
            self._named.add(process)
            logger.warning(
                "stream.clock_off process=%s ahead_s=%.0f: its times are put right by the log's clock; set its own",
                process,
                off_ms / 1_000,
            )
        self.clocks_off[process] = off_ms
        metrics.CLOCK_OFF_AT.labels(process=process).set(now_ms / 1_000)  # by a clock that is right
