"""Shoppers who send events and ask for lists all the while, and a ledger of every event that was acknowledged.

Requests go to any of the web processes and, as behind nginx, to another one when the first cannot be reached or answers
502, 503 or 504. Events that nobody took are sent again under the same id until somebody does, as the SDK of a page
does. So in the end every event that was made is acknowledged, and each has to count exactly once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.http_load import USER_AGENT
from benchmarks.shoppers import shopper

EVENTS_A_REQUEST: Final = 2
BUY_SHARE: Final = 0.1
PATIENCE_S: Final = 5.0
"""What a request may take in all: who waits longer has left the page."""
PAUSE_S: Final = 0.25
_TRY_ANOTHER: Final = frozenset({0, 502, 503, 504})


@dataclass(slots=True)
class Ledger:
    """What was acknowledged, and what each shopper's features must therefore say."""

    ids: dict[str, str] = field(default_factory=dict)  # event id -> anonymous id
    views: Counter[str] = field(default_factory=Counter)  # by anonymous id
    orders: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)  # answers that say that an event is not taken for what it is

    def acknowledge(self, anonymous_id: str, events: Sequence[dict[str, Any]]) -> None:
        """Note events of one request."""
        for event in events:
            self.ids[event["event_id"]] = anonymous_id
            counts = self.orders if event["event"] == "purchase" else self.views
            counts[anonymous_id] += 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due (``time.monotonic``), what it took in all, whether it came to a good end."""

    at_s: float
    took_ms: float
    is_good: bool
    kind: str  # collect or recommend


@dataclass(kw_only=True)
class Traffic:
    """An open loop: requests begin at their times, whatever became of those before.

    Parameters
    ----------
    ports : list of int
        Of the web processes; the lab changes it when a process comes back under another one.
    shoppers : int
        How many there are; ``first`` is the number of the first one, whose states are nobody else's.
    """

    key: str
    ports: list[int]
    shoppers: int
    first: int
    posts_per_s: float
    lists_per_s: float
    ledger: Ledger = field(default_factory=Ledger)
    answers: list[Answer] = field(default_factory=list)
    collects: bool = True  # the lab holds events back where a fault is told apart by that
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _rnd: random.Random = field(default_factory=lambda: random.Random(5))
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._sender = asyncio.create_task(self._send())

    async def stop(self) -> None:
        """Send nothing new, and wait until everything that was made is acknowledged."""
        assert self._sender is not None
        self._sender.cancel()
        with suppress(asyncio.CancelledError):
            await self._sender
        await self.settled(within_s=60.0)

    async def settled(self, *, within_s: float) -> None:
        """Wait until nothing is under way."""
        async with asyncio.timeout(within_s):
            while self._under_way:
                await asyncio.wait(self._under_way)

    async def _send(self) -> None:
        started = time.monotonic()
        posts = lists = 0
        while True:
            now_s = time.monotonic() - started
            while posts < now_s * self.posts_per_s:
                posts += 1
                if self.collects:
                    self._begin(self._collect())
            while lists < now_s * self.lists_per_s:
                lists += 1
                self._begin(self._list())
            await asyncio.sleep(0.5 / max(self.posts_per_s, self.lists_per_s))

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def events_of(self, number: int, *, now_ms: int) -> list[dict[str, Any]]:
        """Return the events of one request."""
        made: list[dict[str, Any]] = []
        for part in range(EVENTS_A_REQUEST):
            name = f"fault-{self.first}-{number:08d}-{part}"
            item = {"item_id": f"sku{1 + self._rnd.randrange(400)}", "price": 9.5}
            event: dict[str, Any] = {"event": "view_item", "event_id": name, "ts": now_ms, "session_id": "s1"}
            event["params"] = {"items": [item]}
            if part and self._rnd.random() < BUY_SHARE:
                event["event"] = "purchase"
                event["params"] |= {"transaction_id": name, "currency": "EUR", "value": 9.5}
            made.append(event)
        return made

    async def _collect(self) -> None:
        number = next(self._numbers)
        who = shopper(self.first + number % self.shoppers)
        events = self.events_of(number, now_ms=time.time_ns() // 1_000_000)
        due_at = time.monotonic()
        while True:
            body = {"key": self.key, "anonymous_id": who, "sent_at": time.time_ns() // 1_000_000, "events": events}
            status, answer = await self._ask("/v1/events", body)
            if status == 202 and answer.get("accepted") == len(events):
                break
            if status == 202 or 400 <= status < 500:
                self.ledger.refused.append(f"{status} {str(answer)[:200]}")
                return
            await asyncio.sleep(PAUSE_S)
        self.ledger.acknowledge(who, events)
        self.answers.append(Answer(due_at, (time.monotonic() - due_at) * 1000, True, "collect"))

    async def _list(self) -> None:
        due_at = time.monotonic()
        who = shopper(self._rnd.randrange(self.first, self.first + self.shoppers))
        body = {"key": self.key, "anonymous_id": who, "placement": "home_for_you", "limit": 12}
        status, _ = await self._ask("/v1/recommendations", body)
        self.answers.append(Answer(due_at, (time.monotonic() - due_at) * 1000, status == 200, "recommend"))

    async def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask one process after the other, as nginx does, until one answers."""
        ports = self._rnd.sample(self.ports, len(self.ports))
        status, answer = 0, dict[str, Any]()
        for port in ports:
            status, answer = await ask(port, path, body, patience_s=PATIENCE_S / len(ports))
            if status not in _TRY_ANOTHER:
                break
        return status, answer


async def ask(port: int, path: str, body: dict[str, Any], *, patience_s: float) -> tuple[int, dict[str, Any]]:
    """Post a body over a connection of its own; status 0 when there was no answer in time."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {USER_AGENT.decode()}\r\n"
        f"Content-Type: text/plain\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + content)
            first, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    except (OSError, TimeoutError):
        return 0, {}
    finally:
        if writer is not None:
            writer.close()
    if not first.startswith(b"HTTP/1.1 ") or (b"content-length" not in first.lower()):
        return 0, {}
    try:
        answer = json.loads(rest) if rest else {}
    except ValueError:  # the process ended in the middle of it
        return 0, {}
    return int(first[9:12]), answer


def percentile(answers: Sequence[Answer], share: float) -> float:
    """Return a percentile of what requests took, in milliseconds; 0 where there are none."""
    times = sorted(one.took_ms for one in answers)
    return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


def curve(answers: Sequence[Answer], *, start_s: float, end_s: float) -> list[float]:
    """Return the slowest request of each second, in milliseconds; 0 for a second without one."""
    seconds = [0.0] * max(1, int(end_s - start_s) + 1)
    for one in answers:
        if start_s <= one.at_s < end_s:
            index = int(one.at_s - start_s)
            seconds[index] = max(seconds[index], one.took_ms)
    return seconds
