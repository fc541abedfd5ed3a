"""Event time: up to when a stream is complete, and what is too late to count.

A watermark is the newest event time seen in a partition, of one site and one kind of source. An event further behind
it than the allowed lateness goes to the archive only. Marking happens record by record in the order of the log, so
that how records are cut into batches, also by a crash, changes nothing. Imports have a watermark of their own: a
shop's history may be loaded beside its live traffic.
"""

from __future__ import annotations

Watermarks = dict[str, int]  # "<site>|live" or "<site>|import" -> event time, epoch ms


def clock_name(site: str, source: str) -> str:
    """Return which watermark the records of a source move."""
    return f"{site}|import" if source == "import" else f"{site}|live"


def advance(watermarks: Watermarks, name: str, *, newest_ms: int, received_at_ms: int, appended_at_ms: int = 0) -> None:
    """Move a watermark up to a record's newest event, but not beyond its reception and when it came into the log.

    Of three clocks (user, web server, log; 0 where the last is not known) one that runs ahead moves nothing: it
    would make everybody else's events late.
    """
    at_ms = min(newest_ms, received_at_ms, appended_at_ms or received_at_ms)
    if watermarks.get(name, 0) < at_ms:
        watermarks[name] = at_ms


def oldest_accepted_ms(watermarks: Watermarks, name: str, *, lateness_ms: int) -> int:
    """Return the event time before which an event is too late."""
    return watermarks.get(name, 0) - lateness_ms


def site_time_ms(watermarks: Watermarks, site: str) -> int:
    """Return the newest event time of a site: the *now* of its windows."""
    return max(watermarks.get(f"{site}|live", 0), watermarks.get(f"{site}|import", 0))
