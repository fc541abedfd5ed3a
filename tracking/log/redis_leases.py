"""Who reads which partition, agreed by short leases in Redis, without a leader.

Every member counts the living members and knows its fair share. Who holds more releases the surplus; who holds
less takes what is free (SET NX). A lease that is not renewed runs out, so that the partitions of a killed member
are free after ``LEASE_MS``. A frozen member that wakes up may still hold its leases for valid for a moment: the
guarded offset of the store refuses what it writes then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from typing import Any, Final

import redis

from tracking import keys
from tracking.log.redis_topic import RedisAddress

logger = logging.getLogger(__name__)

LEASE_MS: Final = keys.LEASE.ttl_s * 1_000
HEARTBEAT_S: Final = 0.5
MAX_POLL_GAP_S: Final = 60.0
"""A member whose work does not come back for this long is stuck: its leases are not renewed any more."""

# KEYS: members. ARGV: own id, lease in ms. Returns the living members.
JOIN: Final = """
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], millis + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', millis)
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
# KEYS: lease. ARGV: own id, lease in ms.
RENEW: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end"
RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class Leases:
    """The leases of one member; a thread renews them while the member works."""

    def __init__(self, client: redis.Redis, address: RedisAddress, *, group: str, member: str, partitions: int) -> None:
        self._client = client
        self._address = address
        self._group = group
        self._member = member
        self._partitions = partitions
        self._lock = threading.Lock()
        self._renewed_at: dict[int, float] = {}  # partition → when its lease was last known to be ours
        self._share = 0
        self._last_poll = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name=f"log-leases-{group}", daemon=True)
        self._failure: Exception | None = None

    def start(self) -> None:
        """Join the group and take what is free; raises what redis-py raises."""
        self._beat()
        self._thread.start()

    def held(self) -> frozenset[int]:
        """Return the partitions that are ours for certain; also says that the member is at work."""
        self._last_poll = now = time.monotonic()
        with self._lock:
            return frozenset(partition for partition, at in self._renewed_at.items() if now - at < LEASE_MS / 1000)

    def surplus(self) -> frozenset[int]:
        """Return the held partitions beyond the fair share; to be released once their work is done."""
        with self._lock:
            return frozenset(sorted(self._renewed_at)[self._share :])

    def raise_failure(self) -> None:
        """Raise what the last heart-beat ran into, if it failed."""
        if self._failure is not None:
            raise self._failure

    def release(self, partitions: Collection[int]) -> None:
        """Release partitions, so that others can take them at once."""
        with self._lock:
            for partition in partitions:
                self._renewed_at.pop(partition, None)
        for partition in partitions:
            self._client.eval(RELEASE, 1, self._address.lease(partition, self._group), self._member)

    def close(self) -> None:
        """Release everything and leave the group."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * HEARTBEAT_S + LEASE_MS / 1000)
        self.release(frozenset(self._renewed_at))
        self._client.zrem(self._address.members(self._group), self._member)

    def _keep_alive(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            if time.monotonic() - self._last_poll > MAX_POLL_GAP_S:
                continue
            try:
                self._beat()
                self._failure = None
            except (redis.RedisError, OSError) as error:
                self._failure = error

    def _beat(self) -> None:
        """Renew, forget what was lost, take what is free; ``2 + partitions`` short commands."""
        started = time.monotonic()
        client, address = self._client, self._address
        living: Any = client.eval(JOIN, 1, address.members(self._group), self._member, LEASE_MS)
        members = sorted(member.decode() for member in living)
        even, extra = divmod(self._partitions, len(members))
        rank = members.index(self._member)
        share = even + (1 if rank < extra else 0)
        with self._lock:
            mine = set(self._renewed_at)
        kept = {
            partition
            for partition in mine
            if client.eval(RENEW, 1, address.lease(partition, self._group), self._member, LEASE_MS)
        }
        # Each member begins its search elsewhere, so that they do not all run for the same partitions.
        wanted = [(rank * even + step) % self._partitions for step in range(self._partitions)]
        taken: set[int] = set()
        for partition in wanted:
            if len(kept) + len(taken) >= share:
                break
            if partition not in mine and client.set(
                address.lease(partition, self._group), self._member, nx=True, px=LEASE_MS
            ):
                taken.add(partition)
        with self._lock:
            self._share = share
            released = mine - self._renewed_at.keys()  # by the caller, in the meantime
            self._renewed_at = dict.fromkeys((kept - released) | taken, started)
        if lost := mine - kept:
            logger.warning("log.leases_lost topic=%s partitions=%s", address.topic, sorted(lost))
