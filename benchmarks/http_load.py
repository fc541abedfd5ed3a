"""An open-loop load of HTTP requests: they arrive at fixed times, whether or not earlier ones were answered.

Latency counts from when a request was due, so a server that stalls pays for everybody who had to wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True, kw_only=True)
class Answers:
    """What came back."""

    due: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    failed: int = 0
    elapsed_s: float = 0.0

    def percentile(self, share: float) -> float:
        """Return a percentile of the latency; what was never answered counts as infinitely late."""
        missing = self.due - len(self.latencies_ms)
        values: NDArray[np.float64] = np.sort(np.asarray(self.latencies_ms))
        index = int(np.ceil(share / 100 * (len(values) + missing))) - 1
        return float(values[index]) if 0 <= index < len(values) else float("inf")

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies_ms) / self.elapsed_s if self.elapsed_s else 0.0


def together(parts: Sequence[Answers]) -> Answers:
    """Return the answers of loads that ran side by side."""
    return Answers(
        due=sum(part.due for part in parts),
        latencies_ms=[value for part in parts for value in part.latencies_ms],
        failed=sum(part.failed for part in parts),
        elapsed_s=max(part.elapsed_s for part in parts),
    )


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._due_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pool.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.lost(self)

    def ask(self, request: bytes, due_at: float) -> None:
        assert self._transport is not None
        self._due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._buffer[:head_end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head_end + 4 + length:
            return
        is_good = head.startswith(b"http/1.1 200")
        del self._buffer[: head_end + 4 + length]
        self._pool.answered(self, (time.perf_counter() - self._due_at) * 1000, is_good=is_good)


class _Pool:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()

    def send(self, request: bytes, due_at: float) -> None:
        self._answers.due += 1
        if self._idle:
            self._idle.popleft().ask(request, due_at)
        else:
            self._waiting.append((request, due_at))

    def free(self, connection: _Connection) -> None:
        if self._waiting:
            connection.ask(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def answered(self, connection: _Connection, latency_ms: float, *, is_good: bool) -> None:
        if is_good:
            self._answers.latencies_ms.append(latency_ms)
        else:
            self._answers.failed += 1
        self.free(connection)

    def lost(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)


async def fixed_rate(
    ports: Sequence[int],
    make: Callable[[int], bytes],
    *,
    per_second: float,
    for_s: float,
    connections: int = 64,
    first: int = 0,
) -> Answers:
    """Send ``per_second`` requests a second, evenly spaced, and wait two seconds for the last answers.

    Every port gets as many connections, as a proxy gives every upstream: workers that accept from one socket share the
    connections out by chance, and the one with most of them answers for all.
    """
    answers = Answers()
    pool = _Pool(answers)
    loop = asyncio.get_running_loop()
    transports = [
        (await loop.create_connection(lambda: _Connection(pool), "127.0.0.1", ports[number % len(ports)]))[0]
        for number in range(connections)
    ]
    started = time.perf_counter()
    total = int(per_second * for_s)
    for number in range(total):
        due_at = started + number / per_second
        wait_s = due_at - time.perf_counter()
        if wait_s > 0.0005:
            await asyncio.sleep(wait_s)
        elif number % 16 == 0:
            await asyncio.sleep(0)
        pool.send(make(first + number), due_at)
    deadline = time.perf_counter() + 2.0
    while len(answers.latencies_ms) + answers.failed < total and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    answers.elapsed_s = time.perf_counter() - started
    for transport in transports:
        transport.close()
    return answers


USER_AGENT = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def post(path: str, body: bytes) -> bytes:
    """Return the bytes of a POST as a browser's SDK sends it; who sends no ``User-Agent`` is taken for a bot."""
    head = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: %b\r\nContent-Type: text/plain\r\n"
    return (head + b"Content-Length: %d\r\n\r\n%b") % (
        path.encode(),
        USER_AGENT,
        len(body),
        body,
    )
