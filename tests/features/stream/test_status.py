"""What a worker says of itself adds up over its batches."""

from __future__ import annotations

from features.state import progress
from features.store.counts import CountCache
from features.stream.in_flight import InFlightBatch
from features.stream.status import Status
from tests.features.making import NOW_MS, event, record, wire
from tracking.log import Record


def test_batches_records_and_outcomes_add_up() -> None:
    key, value = wire(record(event("view_item", items=["a"]), received_at_ms=NOW_MS))
    batch = InFlightBatch(0, [Record(0, "1", key, value, NOW_MS)], {}, cache=CountCache())
    batch.outcomes = {one: number for number, one in enumerate(progress.OUTCOMES, 1)}
    status = Status()

    status.count(batch, now_ms=NOW_MS + 40)
    status.count(batch, now_ms=NOW_MS + 70)

    assert (status.batches, status.records, status.freshness_ms) == (2, 2, 70)
    assert status.outcomes == {one: 2 * number for number, one in enumerate(progress.OUTCOMES, 1)}
