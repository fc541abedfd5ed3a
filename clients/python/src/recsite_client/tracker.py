"""``Tracker(url, key, queue=…).track("purchase", …)``: events of a shop's server, on disk until they are sent."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from recsite_client.contract import AnonymousIdentifier, Identifier
from recsite_client.exceptions import InvalidEvent
from recsite_client.queue import Queue
from recsite_client.sender import OnRejected, RejectedEvent, Sender
from recsite_client.validation import check_event

MAX_EVENTS: Final = 1_000_000
TIMEOUT_S: Final = 10.0


class Tracker:
    """Sends a shop server's events; one a process. Thread-safe, and may be made before a fork.

    Parameters
    ----------
    url : str
        Where Recsite runs, such as ``https://rec.shop.example``.
    key : str
        A secret key (``sk_…``).
    queue : path
        SQLite file in which events wait; processes may share it.
    max_events : int
        Cap of waiting events; beyond it ``track`` raises ``QueueFull``.
    timeout_s : float
        For connecting, sending and each answer.
    on_rejected : callable, optional
        Called in the sending thread with each event that the server refused.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        queue: str | os.PathLike[str],
        max_events: int = MAX_EVENTS,
        timeout_s: float = TIMEOUT_S,
        on_rejected: OnRejected | None = None,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"url={url!r} is not an address; use one such as https://rec.shop.example")
        if not key.startswith("sk_"):
            raise ValueError(f"key={key[:9]!r}… is not a secret key; make one (sk_…) in the admin")
        self._url = url
        self._key = key
        self._path = Path(queue)
        self._timeout_s = timeout_s
        self._on_rejected = on_rejected or _ignore
        self._queue = Queue(self._path, max_events=max_events)
        self._sender: Sender | None = None
        self._sender_pid = 0

    def track(  # one argument for each field of an event that a shop may set
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        user_id: str | None = None,
        anonymous_id: str | None = None,
        occurred_at_ms: int | None = None,
        event_id: str | None = None,
        session_id: str | None = None,
        url: str | None = None,
    ) -> str:
        """Check an event, put it on the disk, and return its id; it is sent in the background.

        Parameters
        ----------
        name : str
            As in Google Analytics 4, such as ``purchase``, or one of the shop's own.
        params : mapping
            What the event is about; see ``docs/events.md``.
        user_id, anonymous_id : str
            Who it is about; at least one. The anonymous id is the cookie ``rec_aid``.
        occurred_at_ms : int
            When it happened, in milliseconds since 1970; now by default.
        event_id : str
            Give one where the shop has an id that stays the same, such as that of the order: sent twice, it
            counts once.

        Raises
        ------
        InvalidEvent
            The event breaks the contract; the message names the field.
        QueueFull
            Too many events wait.
        """
        if user_id is None and anonymous_id is None:
            raise InvalidEvent("user_id", "is missing, and so is anonymous_id; give one of them", code="missing_user")
        _check_id("user_id", user_id, Identifier)
        _check_id("anonymous_id", anonymous_id, AnonymousIdentifier)
        chosen = event_id or new_event_id()
        fields = {
            "event": name,
            "event_id": chosen,
            "ts": int(time.time() * 1000) if occurred_at_ms is None else occurred_at_ms,
            "params": params,
            "session_id": session_id,
            "url": url,
        }
        event = _encode({field: value for field, value in fields.items() if value is not None})
        check_event(event)
        self._queue.put(event, user_id=user_id, anonymous_id=anonymous_id)
        self._wake()
        return chosen

    def identify(self, user_id: str, *, anonymous_id: str, traits: Mapping[str, Any] | None = None) -> str:
        """Join a browser's anonymous id to a known user, as after a login; return the id of the event."""
        params = {"user_id": user_id, "traits": dict(traits or {})}
        return self.track("identify", params, user_id=user_id, anonymous_id=anonymous_id)

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until nothing waits any more; False when ``timeout_s`` was not enough."""
        deadline = time.monotonic() + timeout_s
        while len(self._queue):
            self._wake()
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    @property
    def n_waiting(self) -> int:
        """How many events wait on the disk."""
        return len(self._queue)

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Stop sending; what waits is sent by whoever opens the queue next."""
        sender, self._sender = self._sender, None
        if sender is not None and self._sender_pid == os.getpid():
            sender.stopping.set()
            sender.wake.set()
            sender.join(timeout_s)

    def _wake(self) -> None:
        if self._sender is None or self._sender_pid != os.getpid():  # threads do not survive a fork
            if self._sender is not None:
                self._sender.abandon()
            self._sender_pid = os.getpid()
            self._sender = Sender(
                self._queue,
                self._path.with_name(self._path.name + ".lock"),
                url=self._url,
                key=self._key,
                timeout_s=self._timeout_s,
                on_rejected=self._on_rejected,
            )
            self._sender.start()
        self._sender.wake.set()


def new_event_id() -> str:
    """Return a UUIDv7 in hex: unique, and in the order of time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{value:032x}"


def _encode(event: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(event)
    except RecursionError as error:
        raise InvalidEvent("event", "is nested too deep; flatten it", code="too_deep") from error


def _check_id(field: str, value: str | None, kind: Any) -> None:
    if value is None:
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidEvent(field, f"{value[:50]!r}: {error}") from error


def _ignore(rejected: RejectedEvent) -> None:
    """Do nothing; the log line is enough."""
