"""Pure: the times of a record on the log's clock, whatever the clock of the process that received it.

A web process puts the clocks of its senders right by its own. When its own is off, so is every time in its records:
two hours ahead they would end everybody's lateness window, two hours behind they would all be late. The log's server
has one clock for all. What a record's sender said of the time when it was appended (``tracking.contract.stamp``) tells
a clock that is off from a record that waited in a spool.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from tracking.contract.events import CustomEvent, Event, EventRecord
from tracking.contract.parsing import parse_record
from tracking.contract.stamp import Stamp

TOLERANCE_MS: Final = 60_000
"""Clocks that agree within this are left alone: a record may be on its way for seconds, and lateness has minutes."""


class Read(NamedTuple):
    """A record as it counts, and what the clock of its receiver was ahead (0: as good as right)."""

    record: EventRecord
    off_ms: int


def read_record(value: bytes, *, appended_at_ms: int, stamp: Stamp) -> Read:
    """Return what stands in an entry of the log, with its times on the log's clock; workers and the archive read so.

    Raises
    ------
    InvalidEvent, FutureSchema
        As ``parse_record`` does.
    """
    record = parse_record(value)
    off_ms = offset_ms(record, appended_at_ms=appended_at_ms, sent_at_ms=stamp.sent_at_ms)
    return Read(_moved_back(record, off_ms, appended_at_ms) if off_ms else record, off_ms)


def offset_ms(record: EventRecord, *, appended_at_ms: int, sent_at_ms: int) -> int:
    """Return what the clock of a record's receiver is ahead of the log's; 0 within ``TOLERANCE_MS`` or if not known.

    Parameters
    ----------
    appended_at_ms : int
        When the record came into the log, by the log's clock; 0 where that is not known.
    sent_at_ms : int
        The same moment by the clock of who appended it; 0 where that is not known. Then nothing tells a clock that is
        off from a record that came late; watermarks are bounded by the log's time all the same.
    """
    if (
        not (appended_at_ms and sent_at_ms) or record.forwarded is not None
    ):  # what is forwarded is on the log's clock already
        return 0
    ahead_ms = sent_at_ms - appended_at_ms
    return ahead_ms if abs(ahead_ms) > TOLERANCE_MS else 0


def _moved_back(record: EventRecord, off_ms: int, appended_at_ms: int) -> EventRecord:
    received_at_ms = min(record.received_at_ms - off_ms, appended_at_ms)
    if record.source == "import":  # its times are history, and stay as they are
        return replace(record, received_at_ms=received_at_ms)
    return replace(
        record,
        received_at_ms=received_at_ms,
        events=tuple(_moved(event, off_ms, received_at_ms) for event in record.events),
        custom=tuple(_moved_custom(event, off_ms, received_at_ms) for event in record.custom),
    )


def _moved(event: Event, off_ms: int, received_at_ms: int) -> Event:
    return replace(event, occurred_at_ms=_time(event.occurred_at_ms, off_ms, received_at_ms))


def _moved_custom(event: CustomEvent, off_ms: int, received_at_ms: int) -> CustomEvent:
    return replace(event, occurred_at_ms=_time(event.occurred_at_ms, off_ms, received_at_ms))


def _time(occurred_at_ms: int, off_ms: int, received_at_ms: int) -> int:
    # A sender who said no sent_at kept times of their own: those were never moved ahead, and need not be moved back.
    if off_ms > 0 and occurred_at_ms <= received_at_ms:
        return occurred_at_ms
    return max(0, min(occurred_at_ms - off_ms, received_at_ms))
