"""What a worker says of itself adds up over its batches."""

from __future__ import annotations

from prometheus_client import REGISTRY

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


def test_a_clock_that_is_off_is_dated_by_one_that_is_right() -> None:
    status = Status()

    status.name_clock("host:7", 7_200_000, now_ms=NOW_MS)

    assert status.clocks_off == {"host:7": 7_200_000}
    seen = REGISTRY.get_sample_value("recsite_clock_off_timestamp_seconds", {"process": "host:7"})
    assert seen == NOW_MS / 1_000
