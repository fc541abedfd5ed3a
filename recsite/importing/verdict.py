"""What an import comes to: closing lines that balance, and the exit status that says whether it is usable."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from recsite.importing.base import Source
from recsite.importing.checkpoint import Progress
from recsite.importing.sorted_source import Notes
from tracking.contract.events import log_key
from tracking.log.base import partition_for

_SHOWN: Final = 20


class Verdict(IntEnum):
    """The exit status of ``import_events``."""

    COMPLETE = 0
    """Everything that means something is in the log; what was left out moves nothing or stands twice."""

    UNUSABLE = 1
    """Nothing was appended, or more of the rows were lost than appended."""

    WITH_LOSSES = 3
    """Usable, but some rows were lost or wait for a replay."""


def verdict_of(progress: Progress) -> Verdict:
    """Return whether a finished import is usable."""
    if progress.appended == 0 or progress.refused > progress.appended:
        return Verdict.UNUSABLE
    return Verdict.WITH_LOSSES if progress.refused or progress.too_late else Verdict.COMPLETE


def closing_lines(progress: Progress, notes: Notes | None) -> Iterator[str]:
    """Yield what an import read, appended, left out and mended; the numbers of the first line add up."""
    left_out = sum(progress.left_out.values())
    in_time = progress.appended - progress.too_late
    yield (
        f"{progress.rows:,} rows read = {in_time:,} appended + {left_out:,} left out + {progress.too_late:,} too late; "
        f"{progress.events:,} events in {progress.records:,} records"
    )
    for reason, count in sorted(progress.left_out.items(), key=lambda pair: -pair[1])[:_SHOWN]:
        yield f"  left out {count:,}: {reason}"
    if notes is None:
        return
    if notes.times:
        told = ", ".join(f"{name} ({count:,})" for name, count in sorted(notes.times.items()))
        yield f"times read as: {told}"
    for kind, mend in sorted(notes.mends.items(), key=lambda pair: -pair[1].count)[:_SHOWN]:
        yield f"  mended {mend.count:,}: {kind}, as in {mend.sample}"


def too_late(source: Source, oldest_ms: dict[int, int]) -> int:
    """Return how many rows of a source are in events that are older than what is counted in their partition.

    Parameters
    ----------
    source : Source
        In order of time: no more of it is read than needed.
    oldest_ms : dict of int to int
        By partition, the event time before which an import's events are too late.
    """
    until_ms, found = max(oldest_ms.values(), default=0), 0
    for unit in source.units():
        moments = [event.occurred_at_ms for record in unit.records for event in (*record.events, *record.custom)]
        if moments and min(moments) >= until_ms:
            break
        late = 0
        for record in unit.records:
            partition = partition_for(log_key(record.site, record.user_key), len(oldest_ms))
            late += sum(event.occurred_at_ms < oldest_ms[partition] for event in (*record.events, *record.custom))
        n_events = max(len(moments), 1)
        found += round(late * (unit.rows - len(unit.refusals)) / n_events)
    return found
