"""Processes of this installation whose clock was off within the last day, as the data-quality page names them.

Stream workers see it in the records (``tracking.contract.clocks``) and note it here; what is noted is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import redis

from tracking import keys

MAX_PROCESSES: Final = 100
"""A restart gives a process another number; beyond so many in a day the newest are left out."""


class WrongClock(NamedTuple):
    """``off_ms`` is what the clock of ``process`` (host:pid) was ahead of the log's at ``seen_at_ms``."""

    process: str
    off_ms: int
    seen_at_ms: int


def note_clocks(client: redis.Redis, off_ms: Mapping[str, int], *, now_ms: int) -> None:
    """Keep for a day by how much which process' clock is off; one or two round trips."""
    known: Any = client.hkeys(keys.CLOCKS.pattern)
    room = MAX_PROCESSES - len(known)
    names = {name.decode() for name in known}
    kept = [one for one in off_ms if one in names]
    kept += [one for one in off_ms if one not in names][: max(0, room)]
    if not kept:
        return
    pipe = client.pipeline(transaction=False)
    pipe.hset(keys.CLOCKS.pattern, mapping={name: f"{off_ms[name]} {now_ms}" for name in kept})
    pipe.expire(keys.CLOCKS.pattern, keys.CLOCKS.ttl_s)
    pipe.execute()


def read_clocks(client: redis.Redis, *, now_ms: int) -> list[WrongClock]:
    """Return the processes whose clock was off in the last day, the newest first."""
    found: Any = client.hgetall(keys.CLOCKS.pattern)
    read = [WrongClock(name.decode(), *map(int, value.split())) for name, value in found.items()]
    return sorted(
        (one for one in read if now_ms - one.seen_at_ms < keys.CLOCKS.ttl_s * 1_000), key=lambda one: -one.seen_at_ms
    )
