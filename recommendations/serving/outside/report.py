"""What each process hears of the services of shops, told to the admin by way of Redis; written in the background."""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from typing import Any, Final

import msgspec
from django.conf import settings

from recommendations import keys
from recommendations.retrieval.outside.breaker import Breaker, Circuit
from tracking.background_flusher import BackgroundFlusher
from tracking.redis_client import UNAVAILABLE, connect

EVERY_S: Final = 10.0
"""A process says no more often how a service does, unless its state changes."""

OLD_S: Final = 120
"""What was said before is of a process that ended, or that nobody asks for lists."""

FLUSH_EVERY_S: Final = 1.0
MAX_WAITING: Final = 1_000


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What one process said last of one service.

    Attributes
    ----------
    counts : mapping of result to int
        Requests since the process began.
    """

    process: str
    at_s: int
    state: str
    counts: dict[str, int]
    last_error: str

    @property
    def words(self) -> str:
        """The state in the reader's language."""
        return Circuit(self.state).label


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Said)


class Reporter:
    """Tells how services do; ``note`` returns at once."""

    def __init__(self) -> None:
        self._flusher: BackgroundFlusher[tuple[str, str, Said]] = BackgroundFlusher(
            "outside-sources", self._write, every_s=FLUSH_EVERY_S, capacity=MAX_WAITING, keeps="newest"
        )
        self._told: dict[tuple[str, str], tuple[float, Circuit]] = {}

    def note(self, breaker: Breaker) -> None:
        """Say how a service does, if that is news; the first time starts the thread."""
        key, now = (breaker.site, breaker.name), time.monotonic()
        told = self._told.get(key)
        state = breaker.state
        if told is not None and told[1] is state and now - told[0] < EVERY_S:
            return
        self._told[key] = now, state
        self._flusher.start()
        process = f"{socket.gethostname()}:{os.getpid()}"
        said = Said(
            process=process, at_s=int(time.time()), state=state.value, counts=dict(breaker.counts),
            last_error=breaker.last_error[:500],
        )  # fmt: skip
        self._flusher.put((breaker.site, breaker.name, said))

    def flush(self) -> int:
        """Write what waits, and return how much; raises what Redis raises."""
        return self._flusher.flush()

    def stop(self) -> None:
        """Write what waits, and end the thread; the next news starts it again."""
        self._flusher.stop()

    def _write(self, batch: deque[tuple[str, str, Said]]) -> None:
        """Write a batch in one round trip; the newest of a process and service counts."""
        client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=1)
        try:
            pipe = client.pipeline(transaction=False)
            for site, name, said in batch:
                key = keys.outside_sources(site, name)
                pipe.hset(key, said.process, _ENCODER.encode(said))
                pipe.expire(key, keys.OUTSIDE_SOURCES.ttl_s)
            pipe.execute()
            batch.clear()
        finally:
            client.close()


reporter: Final = Reporter()


def said_of(site: str, name: str, *, now_s: int) -> list[Said] | None:
    """Return what the processes said of a service in the last ``OLD_S``; None where Redis is unavailable."""
    client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=1)
    try:
        found: Any = client.hgetall(keys.outside_sources(site, name))
    except UNAVAILABLE:
        return None
    finally:
        client.close()
    said = [_DECODER.decode(blob) for blob in found.values()]
    return sorted((each for each in said if each.at_s > now_s - OLD_S), key=lambda each: each.process)
