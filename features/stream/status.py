"""What a stream worker has done, as ``celery inspect stream``, the metrics and tests see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from features import metrics
from features.state import progress
from features.stream.in_flight import InFlightBatch
from tracking.log import Position


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
        if parsed.newest_received_ms:
            self.freshness_ms = max(0, now_ms - parsed.newest_received_ms)
            metrics.STREAM_FRESHNESS_SECONDS.observe(self.freshness_ms / 1_000)
