"""Copies of slow-moving data in memory, so that hot paths never wait for the database.

A ``Snapshot`` is loaded when the process starts, again when its topic is announced on Redis, and at least every
``refresh_s``; when a load fails, the last good copy stays. Two kinds of background thread do the work: one that
listens (``_Listener``), and one *lane* for each cost of loading, so that a large catalogue does not hold up a
revoked key. Announcements are hints: one may be lost, and then polling is what finds the change.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import redis

from tracking.exceptions import TrackingError
from tracking.metrics import SNAPSHOT_FAILURES, SNAPSHOT_LOADED_AT
from tracking.redis_client import UNAVAILABLE, connect

log = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL: Final = "rs:announce"
PUBLISH_TIMEOUT_S: Final = 0.25
PING_EVERY_S: Final = 5.0
RECONNECT_S: Final = (0.1, 0.25, 0.5, 1.0)
_NOT_LOADED: Final[Any] = object()


class SnapshotMissing(TrackingError):
    """Nothing was ever loaded, as when the database was away at the start; try again in a moment."""


class Snapshot(Generic[T]):
    """One value in memory, kept fresh in the background.

    Parameters
    ----------
    topic : str
        Announcing it loads the value anew. Several snapshots may share one topic.
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
        return value

    def refresh(self) -> bool:
        """Load and return whether it went well; logs once when loading begins to fail, once when it is back."""
        try:
            self.reload()
        except Exception as error:  # an edge: whatever a load raises, the thread and the last good copy live on
            SNAPSHOT_FAILURES.labels(self.topic).inc()
            if not self._is_failing:
                log.warning("snapshot.load_failed topic=%s error=%r kept_from=%s", self.topic, error, self.loaded_at)
            self._is_failing = True
            return False
        if self._is_failing:
            log.info("snapshot.load_recovered topic=%s", self.topic)
        self._is_failing = False
        return True

    def close(self) -> None:
        """Stop refreshing; the last copy stays readable."""
        _registry.remove(self)

    def _renew_lock(self) -> None:
        self._loading = threading.Lock()


class _Lane(threading.Thread):
    """Loads the snapshots of one lane when they are due."""

    def __init__(self, registry: _Registry, name: str) -> None:
        super().__init__(name=f"snapshots-{name}", daemon=True)
        self._registry = registry
        self._lane = name
        self.is_stopping = False

    def run(self) -> None:
        while (snapshot := self._registry.wait_for_due(self)) is not None:
            snapshot.refresh()
            _release_database()

    @property
    def lane(self) -> str:
        """The lane it works for."""
        return self._lane


class _Listener(threading.Thread):
    """Hears announcements; everything is taken as announced after each new connection, as some may be lost."""

    def __init__(self, registry: _Registry, url: str) -> None:
        super().__init__(name="snapshots-listener", daemon=True)
        self._registry = registry
        self._url = url
        self.stop = threading.Event()

    def run(self) -> None:
        failures = 0
        while not self.stop.is_set():
            try:
                self._listen()
            except Exception as error:  # an edge: a listener that dies would go unnoticed until the next outage
                if not failures:
                    log.warning("snapshot.listener_lost error=%r", error)
                self.stop.wait(RECONNECT_S[min(failures, len(RECONNECT_S) - 1)] * random.uniform(0.5, 1.0))
                failures += 1
            else:
                failures = 0

    def _listen(self) -> None:
        client = connect(self._url, timeout_s=1.0, max_connections=4)
        heard_at = time.monotonic()
        is_awaiting_pong = False
        with contextlib.closing(client), contextlib.closing(_pubsub(client)) as pubsub:
            pubsub.subscribe(CHANNEL)
            while not self.stop.is_set():
                message = pubsub.get_message(timeout=0.5)
                now = time.monotonic()
                if message is None:
                    if now - heard_at > 2 * PING_EVERY_S:
                        raise TimeoutError(f"Redis gave no sign for {now - heard_at:.0f} s")
                    if now - heard_at > PING_EVERY_S and not is_awaiting_pong:
                        pubsub.ping()
                        is_awaiting_pong = True
                    continue
                heard_at, is_awaiting_pong = now, False
                if message["type"] == "subscribe":
                    self._registry.announced_all()
                elif message["type"] == "message":
                    self._registry.announced(message["data"].decode("utf-8", "replace"))


class _Registry:
    """All snapshots and callbacks of the process, and the threads that serve them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._snapshots: list[Snapshot[Any]] = []
        self._callbacks: dict[str, list[Callable[[str], None]]] = defaultdict(list)
        self._lanes: dict[str, _Lane] = {}
        self._listener: _Listener | None = None
        self._url: str | None = None
        self.was_forked = False

    def add(self, snapshot: Snapshot[Any]) -> None:
        with self._changed:
            self._snapshots.append(snapshot)
            self._start_lanes()
            self._changed.notify_all()

    def remove(self, snapshot: Snapshot[Any]) -> None:
        with self._changed:
            self._snapshots = [other for other in self._snapshots if other is not snapshot]

    def subscribe(self, prefix: str, callback: Callable[[str], None]) -> Callable[[], None]:
        with self._changed:
            self._callbacks[prefix].append(callback)

        def unsubscribe() -> None:
            with self._changed, contextlib.suppress(ValueError):
                self._callbacks[prefix].remove(callback)

        return unsubscribe

    def start(self, url: str | None = None) -> None:
        with self._changed:
            self.was_forked = False
            if self._listener is not None:
                return
            self._url = url or self._url or _configured_url()
            self._listener = _Listener(self, self._url)
            self._listener.start()
            self._start_lanes()

    def stop(self, *, timeout_s: float) -> None:
        with self._changed:
            threads: list[threading.Thread] = list(self._lanes.values())
            for lane in self._lanes.values():
                lane.is_stopping = True
            if self._listener is not None:
                self._listener.stop.set()
                threads.append(self._listener)
            self._lanes, self._listener, self.was_forked, self._url = {}, None, False, None
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0.0))

    def wait_for_due(self, lane: _Lane) -> Snapshot[Any] | None:
        """Return the next snapshot of the lane that is due, waiting for it; ``None`` when the lane shall end."""
        with self._changed:
            while not lane.is_stopping:
                now = time.monotonic()
                mine = [snapshot for snapshot in self._snapshots if snapshot.lane == lane.lane]
                following = min(mine, key=lambda snapshot: snapshot.due_at, default=None)
                if following is None or following.due_at > now:
                    self._changed.wait(None if following is None else following.due_at - now)
                    continue
                # Set before the load: what is announced while it runs makes it due once more. The jitter keeps
                # processes that started together from asking the database together.
                following.due_at = now + following.refresh_s * random.uniform(0.85, 1.0)
                return following
            return None

    def announced(self, topic: str) -> None:
        with self._changed:
            for snapshot in self._snapshots:
                if snapshot.topic == topic:
                    snapshot.due_at = 0.0
            self._changed.notify_all()
            callbacks = [
                callback
                for prefix, registered in self._callbacks.items()
                if topic.startswith(prefix)
                for callback in registered
            ]
        for callback in callbacks:
            try:
                callback(topic)
            except Exception:  # an edge: one subscriber's mistake must not silence the others
                log.exception("snapshot.callback_failed topic=%s callback=%r", topic, callback)

    def announced_all(self) -> None:
        with self._changed:
            for snapshot in self._snapshots:
                snapshot.due_at = 0.0
            self._changed.notify_all()

    def after_fork(self) -> None:
        """Forget the parent's threads and locks; the child starts its own when it first reads."""
        was_running = self._listener is not None or self.was_forked
        self._changed = threading.Condition()
        self._lanes, self._listener = {}, None
        self.was_forked = was_running
        for snapshot in self._snapshots:
            snapshot._renew_lock()
            snapshot.due_at = 0.0

    def _start_lanes(self) -> None:
        if self._listener is None:
            return
        for name in {snapshot.lane for snapshot in self._snapshots} - self._lanes.keys():
            lane = self._lanes[name] = _Lane(self, name)
            lane.start()


_registry = _Registry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _registry.after_fork())


def start(url: str | None = None) -> None:
    """Begin to load and to listen in this process; a second call does nothing.

    ``url`` is the Redis that carries announcements; by default ``REDIS_URL`` of the settings. Returns at once, also
    when Redis or the database is away.
    """
    _registry.start(url)


def stop(*, timeout_s: float = 3.0) -> None:
    """End the threads of ``start``; the copies stay readable."""
    _registry.stop(timeout_s=timeout_s)


def on_announce(prefix: str, callback: Callable[[str], None]) -> Callable[[], None]:
    """Call ``callback(topic)`` for each announced topic that starts with ``prefix``; return what ends it.

    It runs in the listener's thread: be quick, or hand over. Announcements made while Redis was away are lost.
    """
    return _registry.subscribe(prefix, callback)


def announce(topic: str) -> None:
    """Tell every process that ``topic`` changed, once the transaction around the caller is committed.

    Never raises: when Redis is away, this process hears it at once and the others at their next refresh.
    """
    from django.db import connection, transaction

    if connection.in_atomic_block:
        transaction.on_commit(lambda: announce_now(topic))
    else:  # asking the connection for more would connect to the database, which the caller may not need
        announce_now(topic)


def announce_now(topic: str, *, url: str | None = None) -> bool:
    """Publish ``topic`` at once and return whether Redis took it; never raises for a Redis that is away."""
    address = url or _configured_url()
    try:
        try:
            _publisher(address).publish(CHANNEL, topic)
        except UNAVAILABLE:  # its connection may be of a Redis that was restarted since; try once with a new one
            _publisher.cache_clear()
            _publisher(address).publish(CHANNEL, topic)
    except UNAVAILABLE as error:
        log.warning("snapshot.announce_failed topic=%s error=%r", topic, error)
        _registry.announced(topic)
        return False
    if _registry._listener is None:  # nobody listens in this process, yet its own copies must not lag behind
        _registry.announced(topic)
    return True


@functools.lru_cache(maxsize=4)
def _publisher(url: str) -> redis.Redis:
    return connect(url, timeout_s=PUBLISH_TIMEOUT_S, max_connections=8)


def _pubsub(client: redis.Redis) -> Any:
    return client.pubsub()  # type: ignore[no-untyped-call]  # redis-py leaves it without types


def _configured_url() -> str:
    from django.conf import settings

    return str(settings.REDIS_URL)


def _release_database() -> None:
    """Give back this thread's database connection when it is broken or too old, as Django does after a request."""
    from django.conf import settings

    if settings.configured:
        from django.db import close_old_connections

        close_old_connections()
