"""What may wait a moment is written by a thread of its own: bounded, and nothing is given up without being counted.

The quotas, the debugger's events, dead letters, explanations and shadow comparisons all hand something over on a hot
path and let a background thread bring it to Redis or to the log. They share this one queue, thread and shutdown.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable
from itertools import chain
from typing import Any, Final, Generic, Literal, TypeVar
from weakref import WeakSet

from tracking.exceptions import TrackingError
from tracking.metrics import BACKGROUND_DROPPED
from tracking.redis_client import UNAVAILABLE, connect, remedy_of_refusal

logger = logging.getLogger(__name__)

T = TypeVar("T")
Reason = Literal["full", "unavailable", "failed", "shutdown"]

RETRY_S: Final = 1.0
"""Pause after a failure, unless ``every_s`` is longer."""
_UNAVAILABLE: Final = (*UNAVAILABLE, TrackingError)
"""What says that a server is unavailable, besides a Redis that takes no writes; all else is our mistake."""

_flushers: Final[WeakSet[BackgroundFlusher[Any]]] = WeakSet()


class BackgroundFlusher(Generic[T]):
    """A bounded queue, and the thread that empties it every ``every_s``. Thread-safe; ``put`` never waits for a write.

    Whatever is given up is counted in ``recsite_background_dropped_total`` by owner and reason: ``full`` (the queue),
    ``unavailable`` (the server, where nothing is tried again), ``failed`` (a mistake in ``write``, logged with its
    traceback) and ``shutdown`` (what the last write at ``stop`` could not place). What ``put`` gives up is counted
    with the next write.

    Parameters
    ----------
    owner : str
        Label of the metric and name of the thread.
    write : callable
        Gets what waits, oldest first, and is never called twice at once. Returning means that everything is written.
        A writer that does it piece by piece takes each piece from the left once it is written: when it raises, what
        is left in the queue counts as not written.
    every_s : float
        Time between two writes.
    capacity : int
        How much may wait, beside the batch that is being written.
    keeps : {"oldest", "newest"}
        What stays when more than ``capacity`` would wait.
    per : callable, optional
        ``per(item)`` names the group whose items share one ``capacity``, so that one site's flood leaves others room;
        a batch has the items of a group side by side. By default there is one group.
    retries : bool
        Whether what an unavailable server did not take waits for the next write.
    """

    def __init__(
        self,
        owner: str,
        write: Callable[[deque[T]], None],
        *,
        every_s: float,
        capacity: int,
        keeps: Literal["oldest", "newest"] = "oldest",
        per: Callable[[T], Hashable] | None = None,
        retries: bool = False,
    ) -> None:
        if every_s <= 0 or capacity < 1:
            raise ValueError(f"every_s={every_s!r} must be above 0 and capacity={capacity!r} at least 1")
        self._owner = owner
        self._write = write
        self._every_s = every_s
        self._capacity = capacity
        self._keeps = keeps
        self._per = per
        self._retries = retries
        self._is_failing = False
        self._waiting: dict[Hashable, deque[T]] = {}
        self._thread: threading.Thread | None = None
        self.forget_parent()
        _flushers.add(self)

    def __len__(self) -> int:
        """Return how much waits; the batch that is being written is not counted."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def start(self) -> None:
        """Start the thread; quick and harmless when it runs already."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stopping = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stopping,), name=self._owner.replace("_", "-"), daemon=True
                )
                self._thread.start()

    def put(self, item: T) -> bool:
        """Let ``item`` wait for the next write; return False when it, or an older one, had to be given up for it."""
        with self._lock:
            group = None if self._per is None else self._per(item)
            waiting = self._waiting.get(group)
            if waiting is None:
                waiting = self._waiting[group] = deque()
            waiting.append(item)
            if len(waiting) <= self._capacity:
                return True
            self._n_surplus += self._trim(waiting)
        return False

    def flush(self) -> int:
        """Write what waits in this thread, after the batch that is being written; return how much it was.

        Raises what ``write`` raises, once what was not written is back in the queue or counted as given up.
        """
        with self._writing:
            self._count_surplus()
            with self._lock:
                batch = deque(chain.from_iterable(self._waiting.values()))
                self._waiting = {}
            count = len(batch)
            if count:
                try:
                    self._write(batch)
                except Exception as error:  # every kind: none may lose what waits without being counted
                    self._not_written(batch, error)
                    raise
            return count

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Write everything that waits and end the thread; what could not be written is counted and logged.

        Blocks for as long as the writes need, at most ``timeout_s`` for those of the thread. ``start`` begins again.
        """
        with self._lock:
            thread, self._thread = self._thread, None
            self._stopping.set()
        if thread is not None:
            thread.join(timeout_s)
        if thread is None or not thread.is_alive():
            self._flush_quietly()  # what came while the thread wrote for the last time
        self._count_surplus()
        with self._lock:
            left = sum(map(len, self._waiting.values()))
            self._waiting = {}
        if left:
            self._dropped(left, "shutdown")
            logger.warning("background.lost_at_shutdown owner=%s count=%s", self._owner, left)

    def forget_parent(self) -> None:
        """Begin without thread, locks and queue: in a forked child they are the parent's, who writes what waits."""
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = None
        self._waiting = {}
        self._n_surplus = 0

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(max(self._every_s, RETRY_S) if self._is_failing else self._every_s):
            self._flush_quietly()
        self._flush_quietly()

    def _flush_quietly(self) -> None:
        try:
            count = self.flush()
        except Exception as error:  # the edge of the thread: the next batch may be better
            if not _is_unavailable(error):
                logger.exception("background.failed owner=%s", self._owner)
                return
            if not self._is_failing:  # once, and not every second of an outage
                remedy = remedy_of_refusal(error) or "it is tried again until the server answers"
                logger.warning(
                    "background.unavailable owner=%s waiting=%s error=%r remedy=%s",
                    *(self._owner, len(self), error, remedy),
                )
            self._is_failing = True
        else:
            if count and self._is_failing:
                logger.info("background.recovered owner=%s", self._owner)
                self._is_failing = False

    def _not_written(self, batch: deque[T], error: Exception) -> None:
        is_unavailable = _is_unavailable(error)
        if not (self._retries and is_unavailable):
            self._dropped(len(batch), "unavailable" if is_unavailable else "failed")
            return
        surplus = 0
        with self._lock:
            while batch:
                item = batch.pop()
                self._waiting.setdefault(self._group(item), deque()).appendleft(item)
            for waiting in self._waiting.values():
                surplus += self._trim(waiting)
        self._dropped(surplus, "full")

    def _trim(self, waiting: deque[T]) -> int:
        surplus = max(len(waiting) - self._capacity, 0)
        for _ in range(surplus):
            if self._keeps == "oldest":
                waiting.pop()
            else:
                waiting.popleft()
        return surplus

    def _count_surplus(self) -> None:
        """Bring what ``put`` gave up to the metric: there, it would cost more than all the rest of a ``put``."""
        with self._lock:
            surplus, self._n_surplus = self._n_surplus, 0
        self._dropped(surplus, "full")

    def _group(self, item: T) -> Hashable:
        return None if self._per is None else self._per(item)

    def _dropped(self, count: int, reason: Reason) -> None:
        if count:
            BACKGROUND_DROPPED.labels(self._owner, reason).inc(count)


class RedisFlusher(BackgroundFlusher[T]):
    """A flusher whose ``write`` brings what waits to one Redis; gets a client of it beside the batch.

    Before ``start_at`` nothing is written, and ``stop`` ends the connection, too. Parameters as for
    ``BackgroundFlusher``; ``timeout_s`` is for connecting and for each answer.
    """

    def __init__(self, owner: str, write: Callable[[Any, deque[T]], None], *, timeout_s: float, **options: Any) -> None:
        self._url = ""
        self._client: Any = None
        self._timeout_s = timeout_s
        self._write_to = write
        super().__init__(owner, self._write_to_redis, **options)

    def start_at(self, url: str) -> None:
        """Write to the Redis at ``url`` from a thread of our own; it is connected to at the first write."""
        self._url = url
        self.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Write everything that waits, end the thread and the connection."""
        if self._url:
            super().stop(timeout_s=timeout_s)
        client, self._client, self._url = self._client, None, ""
        if client is not None:
            client.close()

    def _write_to_redis(self, batch: deque[T]) -> None:
        if self._client is None:
            self._client = connect(self._url, timeout_s=self._timeout_s, max_connections=2)
        self._write_to(self._client, batch)


def _is_unavailable(error: Exception) -> bool:
    """Return whether a server is down, or up and full: no mistake of the program."""
    return isinstance(error, _UNAVAILABLE) or remedy_of_refusal(error) is not None


def _after_fork() -> None:
    for flusher in list(_flushers):
        flusher.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
