"""Quotas of keys and addresses: decided in memory at once, added up over all processes on Redis in the background.

A quota that many share, such as a site's, is shared fairly (``tracking.http.fair_share``): who sends little is not
refused because another sent too much. A sender is a network and whether its visitors are known (``sender_of``).

A request costs no round trip. Each process counts what it let through and adds it, every ``SYNC_S``, to a counter on
Redis (``limits``), whose total it then goes by. So a quota may be overrun by what arrives within one such period, and
by the share that processes keep to themselves (``SYNC_SHARE``). While Redis is unavailable, each process is on its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import Any, Final, NamedTuple

import redis.retry
from limits.errors import StorageError
from limits.storage import storage_from_string
from redis.backoff import NoBackoff

from tracking.access.known_ids import known_ids
from tracking.background_flusher import BackgroundFlusher
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal, Request
from tracking.http.fair_share import FairShare
from tracking.keys import QUOTA_PREFIX
from tracking.metrics import QUOTA_REFUSALS

WINDOW_S: Final = 60
SYNC_S: Final = 0.25
SYNC_SHARE: Final = 0.05
"""Counts below this share of their limit stay at home: most addresses send a few requests and are never written."""
MAX_COUNTS: Final = 50_000
REDIS_TIMEOUT_S: Final = 0.25
WEIGHT_OF_KNOWN: Final = 4.0
"""How much more of a shared quota visitors of a network may use that this process has known for a while."""

LEAST_SHARE: Final = 0.05
"""Of a shared quota that is used up elsewhere, what a process may still give to senders that sent little."""


class Flow(NamedTuple):
    """A flow of weighted fair queueing: requests that have one share of a quota that others use, too."""

    name: str
    weight: float = 1.0


def sender_of(request: Request, *, site: str, anonymous_id: str | None, now: float | None = None) -> Flow:
    """Return the sender of a page's request: its network, and apart from it the visitors there who are known."""
    network = request.network_digest()
    is_known = known_ids.is_known(anonymous_id, site=site, now_s=time.time() if now is None else now)
    return Flow(f"{network}+", WEIGHT_OF_KNOWN) if is_known else Flow(network)


class _Count:
    """What one subject used of one quota in the current window."""

    __slots__ = ("is_due", "limit", "seen", "share", "unsent", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.seen = 0  # of all processes, as far as known
        self.unsent = 0  # of this process, not yet on Redis
        self.limit = 0
        self.is_due = False  # waits to be added to the shared counter
        self.share: FairShare | None = None  # of this process, where the quota has senders

    def admits(self, sender: Flow | None, amount: int) -> bool:
        if self.seen + amount <= self.limit:
            return True
        if sender is None or self.share is None:
            return False
        # Of each process's senders only that process knows; together they have the whole quota.
        own = self.share.total / self.seen if self.seen else 1.0
        limit = self.limit * max(min(own, 1.0), LEAST_SHARE)
        return self.share.admits(sender.name, amount, weight=sender.weight, limit=limit)


class Quotas:
    """The counts of one process. Thread-safe; ``start`` shares them with the other processes."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._lock = threading.Lock()
        self._url = ""
        self._storage: Any = None  # limits gives no types
        self._flusher: BackgroundFlusher[tuple[str, str]] = BackgroundFlusher(
            "quotas", self._write, every_s=SYNC_S, capacity=MAX_COUNTS, retries=True
        )

    def start(self, url: str) -> None:
        """Share the counts over the Redis at ``url``; connects in the background, and may be called again."""
        self._url = url
        self._flusher.start()

    def stop(self) -> None:
        """Add what is new to the shared counters, and end the sharing."""
        if self._url:
            self._flusher.stop()
        self._url, self._storage = "", None

    def take(
        self,
        quota: str,
        subject: str,
        *,
        amount: int,
        per_minute: int,
        sender: Flow | None = None,
        now: float | None = None,
    ) -> None:
        """Use ``amount`` of a quota, or raise the 429 that says when to try again; 0 per minute means no quota.

        Parameters
        ----------
        quota : str
            What is counted: a label of the metric, such as ``events``.
        subject : str
            Who is counted; starts with the site's slug.
        sender : Flow, optional
            Who of those who share the quota uses it; without, the first to come is the first to be served.
        """
        if per_minute <= 0:
            return
        moment = time.time() if now is None else now
        window = int(moment // WINDOW_S)
        with self._lock:
            count = self._counts.get((quota, subject))
            if count is None or count.window != window:
                count = self._counts[quota, subject] = _Count(window)
                if len(self._counts) > MAX_COUNTS:
                    self._forget(window)
            count.limit = per_minute
            if sender is not None and count.share is None:
                count.share = FairShare()
            is_over = not count.admits(sender, amount)
            if not is_over:
                if sender is not None and count.share is not None:
                    count.share.add(sender.name, amount, weight=sender.weight)
                count.seen += amount
                count.unsent += amount
                self._share((quota, subject), count)
        if is_over:
            QUOTA_REFUSALS.labels(quota).inc()
            raise Refusal(
                429,
                ErrorCode.QUOTA_EXCEEDED,
                f"the quota of {per_minute} {quota} a minute is used up; wait, or raise it in the site's settings",
                field="key",
                retry_after_s=max(math.ceil((window + 1) * WINDOW_S - moment), 1),
            )

    def _share(self, name: tuple[str, str], count: _Count) -> None:
        """Let a count wait to be added to the shared one, where it matters; the lock is held."""
        if self._url and not count.is_due and count.seen >= SYNC_SHARE * count.limit:
            count.is_due = self._flusher.put(name)

    def _write(self, batch: deque[tuple[str, str]]) -> None:
        """Add what is new to the shared counters and go by their totals."""
        if self._storage is None:
            self._storage = connect_counters(self._url)
        window = int(time.time() // WINDOW_S)
        while batch:
            name = batch[0]
            with self._lock:
                count = self._counts.get(name)
                amount = count.unsent if count is not None and count.window == window else 0
            if count is not None and amount:
                quota, subject = name
                total = self._add(f"{quota}:{subject}:{window}", amount)
                with self._lock:
                    count.unsent -= amount
                    count.seen = total + count.unsent
            batch.popleft()
            if count is not None:
                with self._lock:
                    count.is_due = False
                    if count.unsent and count.window == window:
                        self._share(name, count)  # what came while Redis answered

    def _add(self, key: str, amount: int) -> int:
        try:
            return int(self._storage.incr(key, 2 * WINDOW_S, amount))
        except StorageError as error:
            raise ConnectionError(f"the shared counters do not answer: {error.__cause__ or error!r}") from error

    def _forget(self, window: int) -> None:
        """Keep memory bounded: drop old windows, and then the subjects first met, who start again at zero."""
        self._counts = {name: count for name, count in self._counts.items() if count.window == window}
        for name in list(self._counts)[: max(len(self._counts) - MAX_COUNTS // 2, 0)]:
            del self._counts[name]


def connect_counters(url: str, *, prefix: str = QUOTA_PREFIX) -> Any:
    """Return the storage of ``limits`` on the Redis at ``url``; raises ``ConnectionError`` where a Cluster is asked."""
    options: dict[str, Any] = {
        "socket_timeout": REDIS_TIMEOUT_S,
        "socket_connect_timeout": REDIS_TIMEOUT_S,
        "retry": redis.retry.Retry(NoBackoff(), 0),
        "wrap_exceptions": True,
        "key_prefix": prefix,
    }
    try:
        return storage_from_string(_limits_url(url), **options)
    except redis.RedisError as error:  # a Cluster's map is read at once
        raise ConnectionError(f"the shared counters do not answer: {error!r}") from error


def _limits_url(url: str) -> str:
    """Return the URL as limits spells it: cluster URLs name hosts only, sockets have a scheme of their own."""
    if url.startswith("unix://"):
        return "redis+" + url
    if "+cluster://" in url:
        return url.replace("rediss+", "redis+").partition("?")[0].rstrip("/0").rstrip("/")
    return url
