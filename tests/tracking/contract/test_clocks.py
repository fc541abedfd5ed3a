"""A record's times come onto the log's clock, whatever the clock of the process that received it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.clocks import TOLERANCE_MS, read_record
from tracking.contract.stamp import NO_STAMP, Stamp, make_stamp, read_stamp

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
offsets = st.integers(-6 * HOUR_MS, 6 * HOUR_MS)


def record(received_at_ms: int, *ages_ms: int, **more: Any) -> bytes:
    events = [
        {"event": "page_view", "event_id": f"event-{n:04}", "ts": received_at_ms - age_ms, "params": {}}
        for n, age_ms in enumerate(ages_ms)
    ]
    events.append({"event": "wheel_spun", "event_id": "custom-0001", "ts": received_at_ms - max(ages_ms), "params": {}})
    custom = [events.pop()]
    return json.dumps(
        {
            "v": "1.0", "site": "shop", "received_at_ms": received_at_ms, "anonymous_id": "a" * 32,
            "events": events, "custom": custom, **more,
        }
    ).encode()  # fmt: skip


@given(off_ms=offsets, waited_ms=st.integers(0, 48 * HOUR_MS), ages_ms=st.lists(st.integers(0, 60_000), min_size=1))
def test_a_clock_that_is_off_changes_no_time(off_ms: int, waited_ms: int, ages_ms: list[int]) -> None:
    """``waited_ms`` is in the spool of the process whose clock is off; events happened up to a minute before."""
    received_ms = NOW_MS - waited_ms
    found, seen_ms = read_record(
        record(received_ms + off_ms, *ages_ms), appended_at_ms=NOW_MS, stamp=Stamp(NOW_MS + off_ms, "web:1")
    )
    if abs(off_ms) <= TOLERANCE_MS:
        assert seen_ms == 0
        assert found.received_at_ms == received_ms + off_ms
        return
    assert seen_ms == off_ms
    assert found.received_at_ms == received_ms
    assert [event.occurred_at_ms for event in found.events] == [received_ms - age_ms for age_ms in ages_ms]
    assert found.custom[0].occurred_at_ms == received_ms - max(ages_ms)


@given(off_ms=offsets, on_its_way_ms=st.integers(0, 5_000))
def test_no_event_becomes_late_by_the_clock_of_its_receiver(off_ms: int, on_its_way_ms: int) -> None:
    found, _ = read_record(
        record(NOW_MS + off_ms, 0, 30_000),
        appended_at_ms=NOW_MS + on_its_way_ms,
        stamp=Stamp(NOW_MS + off_ms, "web:1"),
    )
    for event in found.events:
        assert NOW_MS - 3 * TOLERANCE_MS <= event.occurred_at_ms <= NOW_MS + on_its_way_ms + TOLERANCE_MS
    assert abs(found.received_at_ms - NOW_MS) <= on_its_way_ms + TOLERANCE_MS


@pytest.mark.parametrize("stamp", [NO_STAMP, Stamp(NOW_MS, "web:1"), Stamp(NOW_MS + 59_000, "web:1")])
def test_what_waited_in_a_spool_keeps_its_times(stamp: Stamp) -> None:
    value = record(NOW_MS - 3 * HOUR_MS, 0, 7)
    found, off_ms = read_record(value, appended_at_ms=NOW_MS, stamp=stamp)
    assert off_ms == 0
    assert found == read_record(value, appended_at_ms=0, stamp=NO_STAMP).record


def test_times_of_an_import_are_history() -> None:
    value = record(NOW_MS + 2 * HOUR_MS, 9 * HOUR_MS, source="import")
    found, _ = read_record(value, appended_at_ms=NOW_MS, stamp=Stamp(NOW_MS + 2 * HOUR_MS, "web:1"))
    assert found.received_at_ms == NOW_MS
    assert found.events[0].occurred_at_ms == NOW_MS - 7 * HOUR_MS


def test_a_stamp_names_the_process_and_is_read_back() -> None:
    stamp = read_stamp(make_stamp())
    assert stamp.sent_at_ms > NOW_MS / 2
    assert stamp.sender.rpartition(":")[2].isdigit()


@given(st.binary(max_size=120))
def test_no_bytes_break_the_reading_of_a_stamp(value: bytes) -> None:
    assert isinstance(read_stamp(value), Stamp)
