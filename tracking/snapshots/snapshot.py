"""Copies of slow-moving data in memory, so that hot paths never wait for the database.

A ``Snapshot`` is loaded when the process starts, again when its topic is announced on Redis, and at least every
``refresh_s``; when a load fails, the last good copy stays. Two kinds of background thread do the work
(``tracking.snapshots.threads``): one that listens, and one *lane* for each cost of loading, so that a large
catalogue does not hold up a revoked key. Announcements are hints: one may be lost, and then polling is what finds
the change.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import redis

from tracking.exceptions import TrackingError
from tracking.metrics import SNAPSHOT_FAILURES, SNAPSHOT_LOADED_AT
from tracking.redis_client import UNAVAILABLE, connect
from tracking.snapshots.threads import CHANNEL, Registry, configured_url

logger = logging.getLogger(__name__)

T = TypeVar("T")

PUBLISH_TIMEOUT_S: Final = 0.25
_NOT_LOADED: Final[Any] = object()


class SnapshotMissing(TrackingError):
    """Nothing was ever loaded, as when the database was down at the start; try again in a moment."""


class Snapshot(Generic[T]):
    """One value in memory, kept fresh in the background.

    Parameters
    ----------
    topic : str
        Announcing it loads the value again. Several snapshots may share one topic.
    load : callable
        Returns the value; runs in a background thread, so it may use the database. The value must not be
        changed afterwards: readers share it without a lock.
    refresh_s : float
        Longest time between two loads.
    lane : str
        Snapshots of one lane are loaded by one thread, one after the other. Give slow loads a lane of their own.
    """

    def __init__(self, topic: str, load: Callable[[], T], *, refresh_s: float, lane: str = "quick") -> None:
        if refresh_s <= 0:
            raise ValueError(f"refresh_s={refresh_s!r} must be more than 0 seconds")
        self.topic = topic
        self.refresh_s = refresh_s
        self.lane = lane
        self.loaded_at: float | None = None  # epoch seconds of the last good load
        self.due_at = 0.0  # monotonic seconds; read and written under the registry's lock
        self._load = load
        self._value: T = _NOT_LOADED
        self._loading = threading.Lock()
        self._is_failing = False
        self._is_closed = False
        _registry.add(self)

    def current(self) -> T:
        """Return the copy in memory; never blocks and never touches the database.

        Raises
        ------
        SnapshotMissing
            There is none yet.
        """
        if _registry.was_forked:
            _registry.start()
        value = self._value
        if value is _NOT_LOADED:
            raise SnapshotMissing(
                f"{self.topic!r} has not been loaded yet; check that the database answers and try again"
            )
        return value

    @property
    def is_loaded(self) -> bool:
        """Whether ``current`` has something to return."""
        return self._value is not _NOT_LOADED

    @property
    def age_s(self) -> float | None:
        """How many seconds ago the last good load ended; ``None`` before the first."""
        return None if self.loaded_at is None else max(time.time() - self.loaded_at, 0.0)

    def ensure_loaded(self) -> T:
        """Return the value, loading it in this thread when there is none yet; raises what the load raises."""
        return self.current() if self.is_loaded else self.reload()

    def reload(self) -> T:
        """Load in this thread and return the new value; raises what the load raises, keeping the old copy."""
        with self._loading:
            value = self._load()
            self._value = value
            self.loaded_at = time.time()
        SNAPSHOT_LOADED_AT.labels(self.topic).set(self.loaded_at)
        if self._is_closed:  # while it was loading
            _retire_gauge(self.topic)
        return value

    def refresh(self) -> bool:
        """Load and return whether it went well; logs once when loading begins to fail, once when it is back."""
        try:
            self.reload()
        except Exception as error:  # an edge: whatever a load raises, the thread and the last good copy live on
            SNAPSHOT_FAILURES.labels(self.topic).inc()
            if not self._is_failing:
                logger.warning("snapshot.load_failed topic=%s error=%r kept_from=%s", self.topic, error, self.loaded_at)
            self._is_failing = True
            return False
        if self._is_failing:
            logger.info("snapshot.load_recovered topic=%s", self.topic)
        self._is_failing = False
        return True

    def close(self) -> None:
        """Stop refreshing; the last copy stays readable, and its age is no longer watched."""
        self._is_closed = True
        if not _registry.remove(self):
            _retire_gauge(self.topic)

    def renew_lock(self) -> None:
        """Forget the parent's lock in a forked child."""
        self._loading = threading.Lock()


_registry = Registry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _registry.after_fork())


def start_snapshots(url: str | None = None) -> None:
    """Begin to load and to listen in this process; a second call does nothing.

    ``url`` is the Redis that carries announcements; by default ``REDIS_URL`` of the settings. Returns at once, also
    when Redis or the database is down.
    """
    _registry.start(url)


def stop_snapshots(*, timeout_s: float = 3.0) -> None:
    """End the threads of ``start_snapshots``; the copies stay readable."""
    _registry.stop(timeout_s=timeout_s)


def announce(topic: str) -> None:
    """Tell every process that ``topic`` changed, once the transaction around the caller is committed.

    Never raises: when Redis is down, this process hears it at once and the others at their next refresh.
    """
    from django.db import connection, transaction

    if connection.in_atomic_block:
        transaction.on_commit(lambda: announce_now(topic))
    else:  # asking the connection for more would connect to the database, which the caller may not need
        announce_now(topic)


def announce_now(topic: str, *, url: str | None = None) -> bool:
    """Publish ``topic`` at once and return whether Redis took it; never raises for a Redis that is down."""
    address = url or configured_url()
    try:
        try:
            _publisher(address).publish(CHANNEL, topic)
        except UNAVAILABLE:  # its connection may be of a Redis that was restarted since; try once with a new one
            _publisher.cache_clear()
            _publisher(address).publish(CHANNEL, topic)
    except UNAVAILABLE as error:
        logger.warning("snapshot.announce_failed topic=%s error=%r", topic, error)
        _registry.announced(topic)
        return False
    if not _registry.is_listening:  # nobody listens in this process, yet its own copies must not lag behind
        _registry.announced(topic)
    return True


def _retire_gauge(topic: str) -> None:
    """End the age of a topic that nothing loads any more: it would rise for ever and raise the alarm for stale data."""
    SNAPSHOT_LOADED_AT.labels(topic).set(math.inf)  # the files of several processes cannot lose a label
    if not {"PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"} & os.environ.keys():
        SNAPSHOT_LOADED_AT.remove(topic)


@functools.lru_cache(maxsize=4)
def _publisher(url: str) -> redis.Redis:
    return connect(url, timeout_s=PUBLISH_TIMEOUT_S, max_connections=8)
