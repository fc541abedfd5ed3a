"""The threads behind the snapshots: one that listens for announcements, and one for each lane of loading."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from typing import Any, Final, Protocol

import redis

from tracking.keys import ANNOUNCE_CHANNEL
from tracking.redis_client import connect

logger = logging.getLogger(__name__)

CHANNEL: Final = ANNOUNCE_CHANNEL
PING_EVERY_S: Final = 5.0
RECONNECT_S: Final = (0.1, 0.25, 0.5, 1.0)


class Refreshed(Protocol):
    """What is loaded again when its topic is announced, and at least every ``refresh_s``."""

    topic: str
    lane: str
    refresh_s: float
    due_at: float
    """Monotonic seconds; read and written under the registry's lock."""

    def refresh(self) -> bool:
        """Load, and return whether it went well."""

    def renew_lock(self) -> None:
        """Forget the parent's lock in a forked child."""


class Lane(threading.Thread):
    """Loads the snapshots of one lane when they are due."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(name=f"snapshots-{name}", daemon=True)
        self._registry = registry
        self._lane = name
        self.is_stopping = False

    def run(self) -> None:
        """Load what is due until the lane shall end."""
        while (snapshot := self._registry.wait_for_due(self)) is not None:
            snapshot.refresh()
            _release_database()

    @property
    def lane(self) -> str:
        """The lane it works for."""
        return self._lane


class Listener(threading.Thread):
    """Hears announcements; everything is taken as announced after each new connection, as some may be lost."""

    def __init__(self, registry: Registry, url: str) -> None:
        super().__init__(name="snapshots-listener", daemon=True)
        self._registry = registry
        self._url = url
        self.stop = threading.Event()

    def run(self) -> None:
        """Listen, and connect again for as long as the process lives."""
        failures = 0
        while not self.stop.is_set():
            try:
                self._listen()
            except Exception as error:  # an edge: a listener that dies would go unnoticed until the next outage
                if not failures:
                    logger.warning("snapshot.listener_lost error=%r", error)
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


class Registry:
    """All snapshots of the process, and the threads that serve them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._snapshots: list[Refreshed] = []
        self._lanes: dict[str, Lane] = {}
        self._listener: Listener | None = None
        self._url: str | None = None
        self.was_forked = False

    @property
    def is_listening(self) -> bool:
        """Whether announcements are heard in this process."""
        return self._listener is not None

    def add(self, snapshot: Refreshed) -> None:
        """Load ``snapshot`` from now on."""
        with self._changed:
            self._snapshots.append(snapshot)
            self._start_lanes()
            self._changed.notify_all()

    def remove(self, snapshot: Refreshed) -> bool:
        """Load it no more; return whether another snapshot has its topic."""
        with self._changed:
            self._snapshots = [other for other in self._snapshots if other is not snapshot]
            return any(other.topic == snapshot.topic for other in self._snapshots)

    def start(self, url: str | None = None) -> None:
        """Start the threads; a second call does nothing."""
        with self._changed:
            self.was_forked = False
            if self._listener is not None:
                return
            self._url = url or self._url or configured_url()
            self._listener = Listener(self, self._url)
            self._listener.start()
            self._start_lanes()

    def stop(self, *, timeout_s: float) -> None:
        """End the threads."""
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

    def wait_for_due(self, lane: Lane) -> Refreshed | None:
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
        """Make the snapshots of a topic due."""
        with self._changed:
            for snapshot in self._snapshots:
                if snapshot.topic == topic:
                    snapshot.due_at = 0.0
            self._changed.notify_all()

    def announced_all(self) -> None:
        """Make every snapshot due."""
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
            snapshot.renew_lock()
            snapshot.due_at = 0.0

    def _start_lanes(self) -> None:
        if self._listener is None:
            return
        for name in {snapshot.lane for snapshot in self._snapshots} - self._lanes.keys():
            lane = self._lanes[name] = Lane(self, name)
            lane.start()


def configured_url() -> str:
    """Return the Redis of the settings."""
    from django.conf import settings

    return str(settings.REDIS_URL)


def _pubsub(client: redis.Redis) -> Any:
    return client.pubsub()  # type: ignore[no-untyped-call]  # redis-py leaves it without types


def _release_database() -> None:
    """Give back this thread's database connection when it is broken or too old, as Django does after a request."""
    from django.conf import settings

    if settings.configured:
        from django.db import close_old_connections

        close_old_connections()
