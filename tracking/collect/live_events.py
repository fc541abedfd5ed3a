"""The last events of each site, for the admin's debugger: a short list on Redis, filled in the background.

A glance, not a record: at most ``KEEP`` events a site for an hour, at most ``MAX_PER_FLUSH`` taken each half second,
and none while Redis is unavailable. Collecting never waits for it.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import takewhile
from typing import Any, Final

import msgspec
from msgspec import Struct

from tracking import keys
from tracking.access.sites import KeyInfo
from tracking.background_flusher import RedisFlusher
from tracking.contract.mending.event import Mend
from tracking.contract.parsing import ParsedEnvelope
from tracking.records import Built
from tracking.redis_client import connect

KEEP: Final = 200
KEEP_S: Final = keys.LIVE_EVENTS.ttl_s
FLUSH_S: Final = 0.5
MAX_PER_FLUSH: Final = 50
REDIS_TIMEOUT_S: Final = 0.5
_MAX_TEXT: Final = 2_000
_EVENT_PATH: Final = re.compile(r"(?:records\[\d+\]\.)?events\[\d+\]")


class LiveEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the debugger: an accepted event, or a refused one with its reason."""

    received_at_ms: int
    name: str
    event_id: str | None = None
    user_key: str = ""
    source: str = "browser"
    is_bot: bool = False
    bot_class: str = ""
    detail: str = ""  # the event as JSON, cut
    error: str = ""
    field: str = ""
    message: str = ""
    mends: list[Mend] = []  # what was mended in it


class _Noted(Struct, frozen=True):
    """A request that waits to be shown."""

    site: str
    records: Any
    parsed: ParsedEnvelope
    received_at_ms: int


class LiveEvents:
    """What waits in this process to be shown. Thread-safe; ``start`` begins to write it to Redis."""

    def __init__(self) -> None:
        self._flusher: RedisFlusher[_Noted] = RedisFlusher(
            "live_events",
            _write,
            timeout_s=REDIS_TIMEOUT_S,
            every_s=FLUSH_S,
            capacity=MAX_PER_FLUSH,
            keeps="newest",
            per=lambda noted: noted.site,
        )

    def start(self, url: str) -> None:
        """Write to the Redis at ``url`` from a thread of our own."""
        self._flusher.start_at(url)

    def stop(self) -> None:
        """Write what waits, and end the writing."""
        self._flusher.stop()

    def add(self, key: KeyInfo, built: Built, parsed: ParsedEnvelope, *, received_at_ms: int) -> None:
        """Note a request; what it costs is one append, the rest happens in the thread."""
        if built.records or parsed.rejected:
            self._flusher.put(_Noted(key.site.slug, built.records, parsed, received_at_ms))

    def flush(self) -> None:
        """Write what waits now, and return once it can be read; raises what redis-py raises."""
        self._flusher.flush()


def _write(client: Any, batch: deque[_Noted]) -> None:
    """Write a batch, one round trip a site."""
    while batch:
        site = batch[0].site
        mine = list(takewhile(lambda noted: noted.site == site, batch))  # noqa: B023  # used at once
        lines = [msgspec.json.encode(line) for noted in mine for line in _lines(noted)][-MAX_PER_FLUSH:]
        if lines:
            name = keys.live_events(site)
            with client.pipeline(transaction=False) as pipeline:
                pipeline.lpush(name, *lines)
                pipeline.ltrim(name, 0, KEEP - 1)
                pipeline.expire(name, KEEP_S)
                pipeline.execute()
        for _ in mine:
            batch.popleft()


def read(url: str, site: str, *, limit: int = KEEP) -> list[LiveEvent]:
    """Return the newest events of a site, newest first; raises what redis-py raises."""
    client = connect(url, timeout_s=REDIS_TIMEOUT_S, max_connections=2)
    try:
        lines: Any = client.lrange(keys.live_events(site), 0, limit - 1)
    finally:
        client.close()
    return [msgspec.json.decode(line, type=LiveEvent) for line in lines]


def forget(client: Any, site: str) -> int:
    """Drop a site's list, for an erasure: it is a glance, and refused events name nobody to look for; return 1 or 0."""
    return int(client.delete(keys.live_events(site)))


def _lines(noted: _Noted) -> list[LiveEvent]:
    mends = _mends_by_event(noted.parsed)
    lines = [
        LiveEvent(
            received_at_ms=noted.received_at_ms,
            name=str(event.__struct_config__.tag or event.event),
            event_id=event.event_id,
            user_key=record.user_key,
            source=record.source,
            is_bot=record.ctx.bot,
            bot_class=record.ctx.bot_class or "",
            detail=msgspec.json.encode(event).decode()[:_MAX_TEXT],
            mends=mends.get(event.event_id, []),
        )
        for record in noted.records
        for event in (*record.events, *record.custom)
    ]
    lines += [
        LiveEvent(
            received_at_ms=noted.received_at_ms,
            name="",
            event_id=bad.event_id,
            detail=bad.raw[:_MAX_TEXT].decode("utf-8", "replace"),
            error=bad.error,
            field=bad.field,
            message=bad.message,
        )
        for bad in noted.parsed.rejected
    ]
    return lines


def _mends_by_event(parsed: ParsedEnvelope) -> dict[str, list[Mend]]:
    """Return the mends of each event by its id; those of a request's head stand with all of its events."""
    if not parsed.mends:
        return {}
    event_ids = {f"{group.prefix}[{index}]": event.event_id for group in parsed.groups for index, event in group.good}
    mends: dict[str, list[Mend]] = {event_id: [] for event_id in event_ids.values()}
    for mend in parsed.mends:
        prefix = _EVENT_PATH.match(mend.path)
        owner = event_ids.get(prefix[0]) if prefix else None
        for event_id in [owner] if owner is not None else mends if prefix is None else ():
            mends[event_id].append(mend)
    return mends
