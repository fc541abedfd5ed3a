"""The thread that brings waiting events to the server; one of all processes that share a queue, held by a lock."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

import msgspec

from recsite_client.contract import MAX_EVENTS_SERVER, MAX_SERVER_BODY_BYTES, SCHEMA_VERSION
from recsite_client.queue import Queue, Waiting

logger = logging.getLogger(__name__)

PATH: Final = "/v1/events"
FIRST_BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 300.0
WRONG_KEY_BACKOFF_S: Final = 60.0
IDLE_S: Final = 1.0


class RejectedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that the server refused, and why."""

    index: int
    event_id: str | None
    error: str
    message: str
    field: str


OnRejected = Callable[[RejectedEvent], None]


class Group(msgspec.Struct, omit_defaults=True):
    """The events of one user in a request."""

    user_id: str | None = None
    anonymous_id: str | None = None
    events: list[msgspec.Raw] = []


class Body(msgspec.Struct):
    """What is sent; without ``sent_at``, so that the same events are the same bytes when they are sent again."""

    v: str
    records: list[Group]


class Answer(msgspec.Struct):
    """What of the server's answer counts here."""

    rejected: list[RejectedEvent] = []


class Sender(threading.Thread):
    """Sends what waits, oldest first, until it is stopped."""

    def __init__(
        self, queue: Queue, lock: Path, *, url: str, key: str, timeout_s: float, on_rejected: OnRejected
    ) -> None:
        super().__init__(name="recsite-client", daemon=True)
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self._queue = queue
        self._lock_path = lock
        self._lock: IO[bytes] | None = None
        self._address = urlsplit(url)
        self._key = key
        self._timeout_s = timeout_s
        self._on_rejected = on_rejected
        self._connection: http.client.HTTPConnection | None = None
        self._most = MAX_EVENTS_SERVER

    def run(self) -> None:
        """Send, wait, send."""
        failures = 0
        while not self.stopping.is_set():
            wait_s = IDLE_S
            try:
                if self._holds_lock() and (batch := self._batch()):
                    wait_s = self._send(batch, failures)
                    failures = failures + 1 if wait_s else 0
            except Exception:  # the edge of the thread: it must outlive whatever a disk or a proxy comes up with
                logger.exception("client.failed")
                failures += 1
                wait_s = self._backoff_s(failures)
            if wait_s:
                self.wake.wait(wait_s) if failures == 0 else self.stopping.wait(wait_s)
            self.wake.clear()
        self._disconnect()
        if self._lock is not None:
            self._lock.close()

    def abandon(self) -> None:
        """Close, in a forked child, what the parent's sender had open; the parent keeps its lock."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()

    def _batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        for event in self._queue.peek(most=self._most):
            size += len(event.event) + 300
            if batch and size > MAX_SERVER_BODY_BYTES * 0.9:
                break
            batch.append(event)
        return batch

    def _send(self, batch: list[Waiting], failures: int) -> float:
        """Send a batch and return how long to wait before the next; 0 when it is done with."""
        try:
            status, retry_after_s, content = self._post(batch)
        except (OSError, http.client.HTTPException) as error:
            self._disconnect()
            logger.log(logging.WARNING if failures == 0 else logging.DEBUG, "client.unreachable error=%r", error)
            return self._backoff_s(failures)
        if status == 202 or (status == 400 and b'"rejected"' in content):
            self._tell(batch, content)
            self._queue.forget(batch)
            self._most = MAX_EVENTS_SERVER
            return 0.0
        if status in (400, 413, 415, 422) and len(batch) > 1:
            self._most = max(len(batch) // 2, 1)  # find the event that spoils the others
            return 0.001
        if status in (400, 413, 415, 422):
            logger.error("client.dropped status=%s answer=%s", status, content[:500])
            self._queue.forget(batch)
            return 0.0
        if status in (401, 403):
            logger.error("client.refused status=%s answer=%s", status, content[:500])
            return WRONG_KEY_BACKOFF_S
        if failures == 0:
            logger.warning("client.delayed status=%s", status)
        return max(retry_after_s, self._backoff_s(failures))

    def _post(self, batch: list[Waiting]) -> tuple[int, float, bytes]:
        groups: dict[tuple[str | None, str | None], Group] = {}
        for event in batch:
            group = groups.setdefault((event.user_id, event.anonymous_id), Group(event.user_id, event.anonymous_id, []))
            group.events.append(msgspec.Raw(event.event))
        body = msgspec.json.encode(Body(SCHEMA_VERSION, list(groups.values())))
        connection = self._connect()
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._key}",
            "Idempotency-Key": hashlib.sha256(body).hexdigest(),
        }
        connection.request("POST", (self._address.path.rstrip("/") or "") + PATH, body, headers)
        response = connection.getresponse()
        content = response.read(1_000_000)
        retry_after = response.headers.get("Retry-After", "")
        return response.status, float(retry_after) if retry_after.isdigit() else 0.0, content

    def _tell(self, batch: list[Waiting], content: bytes) -> None:
        for rejected in msgspec.json.decode(content, type=Answer).rejected:
            logger.error("client.rejected event_id=%s field=%s", rejected.event_id, rejected.field)
            self._on_rejected(rejected)

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._address.hostname or "", self._address.port, timeout=self._timeout_s)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _holds_lock(self) -> bool:
        """Return whether this process is the one that sends; the others try again until it ends."""
        if self._lock is not None:
            return True
        handle = self._lock_path.open("ab")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        self._lock = handle
        return True

    def _backoff_s(self, failures: int) -> float:
        doubled: float = FIRST_BACKOFF_S * 2.0 ** min(failures, 20)
        return min(doubled, MAX_BACKOFF_S) * random.uniform(0.5, 1.0)
