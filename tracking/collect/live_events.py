"""The last events of each site, for the admin's debugger: a short list on Redis, filled in the background.

A glance, not a record: at most ``KEEP`` events a site for an hour, at most ``MAX_PER_FLUSH`` taken each half second,
and none while Redis is away. Collecting never waits for it.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tracking.access.sites import KeyInfo
from tracking.contract.parsing import Rejected
from tracking.records import Built
from tracking.redis_client import UNAVAILABLE, connect

logger = logging.getLogger(__name__)

KEEP: Final = 200
KEEP_S: Final = keys.LIVE_EVENTS.ttl_s
FLUSH_S: Final = 0.5
MAX_PER_FLUSH: Final = 50
REDIS_TIMEOUT_S: Final = 0.5
_MAX_TEXT: Final = 2_000


class LiveEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the debugger: an accepted event, or a refused one with its reason."""

    received_at_ms: int
    name: str
    event_id: str | None = None
    user_key: str = ""
    source: str = "browser"
    is_bot: bool = False
    detail: str = ""  # the event as JSON, cut
    error: str = ""
    field: str = ""
    message: str = ""


class LiveEvents:
    """What waits in this process to be shown. Thread-safe; ``start`` begins to write it to Redis."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=MAX_PER_FLUSH))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False

    def start(self, url: str) -> None:
        """Write to the Redis at ``url`` from a thread of our own."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, args=(url,), name="live-events", daemon=True)
            self._thread.start()

    def stop(self, *, timeout_s: float = 1.0) -> None:
        """End the writing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._thread = None

    def add(self, key: KeyInfo, built: Built, rejected: Sequence[Rejected], *, received_at_ms: int) -> None:
        """Note a request; what it costs is two appends, the rest happens in the thread."""
        if built.records or rejected:
            self._waiting[key.site.slug].append((built.records, rejected, received_at_ms))

    def flush(self, client: Any) -> int:
        """Write what waits and return of how many sites; one round trip a site. Raises what redis-py raises."""
        written = 0
        for site in list(self._waiting):
            waiting = self._waiting.pop(site)
            lines = [msgspec.json.encode(line) for one in waiting for line in _lines(*one)][-MAX_PER_FLUSH:]
            if not lines:
                continue
            name = keys.live_events(site)
            with client.pipeline(transaction=False) as pipeline:
                pipeline.lpush(name, *lines)
                pipeline.ltrim(name, 0, KEEP - 1)
                pipeline.expire(name, KEEP_S)
                pipeline.execute()
            written += 1
        return written

    def _run(self, url: str) -> None:
        client: Any = None
        while not self._stop.wait(FLUSH_S):
            try:
                if client is None:
                    client = connect(url, timeout_s=REDIS_TIMEOUT_S, max_connections=2)
                if self.flush(client):
                    self._is_failing = False
            except UNAVAILABLE as error:
                if not self._is_failing:
                    logger.warning("live_events.away error=%r", error)
                self._is_failing = True
                self._waiting.clear()
        if client is not None:
            client.close()


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


def _lines(records: Any, rejected: Sequence[Rejected], received_at_ms: int) -> list[LiveEvent]:
    lines = [
        LiveEvent(
            received_at_ms=received_at_ms,
            name=str(event.__struct_config__.tag or event.event),
            event_id=event.event_id,
            user_key=record.user_key,
            source=record.source,
            is_bot=record.ctx.bot,
            detail=msgspec.json.encode(event).decode()[:_MAX_TEXT],
        )
        for record in records
        for event in (*record.events, *record.custom)
    ]
    lines += [
        LiveEvent(
            received_at_ms=received_at_ms,
            name="",
            event_id=bad.event_id,
            detail=bad.raw[:_MAX_TEXT].decode("utf-8", "replace"),
            error=bad.error,
            field=bad.field,
            message=bad.message,
        )
        for bad in rejected
    ]
    return lines
