"""What both writers share: records go from the event loop to a thread in bulk, and answers come back in bulk.

The client libraries block, so they live in a thread of their own. The loop only appends to a queue and waits
for a future with a deadline. What is on its way is bounded, in records and in bytes, because the libraries
bound nothing: kafka-python took 30,000 records for a frozen broker without an error. A record whose deadline
passed before the thread took it up is dropped there; one that was taken up already still counts until its
outcome is known, and may arrive late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from tracking.log.base import LogUnavailable, LogWriter, oversize

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT_RECORDS: Final = 20_000
MAX_IN_FLIGHT_BYTES: Final = 64 * 1024 * 1024
MAX_HANDOVER_RECORDS: Final = 256
"""Records taken up at once: enough to fill a round trip, few enough to give the interpreter back often."""

RECONNECT_BACKOFF_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


class Batch:
    """The records of one call and their outcomes.

    Belongs to the loop; the thread only reads ``records`` and ``is_abandoned``.
    """

    __slots__ = ("future", "is_abandoned", "outcomes", "records", "waiting")

    def __init__(
        self, records: Sequence[tuple[bytes, bytes]], future: asyncio.Future[None], late: LogUnavailable
    ) -> None:
        self.records = records
        # Each outcome is "too late" until something better is known.
        self.outcomes: list[LogUnavailable | None] = [late] * len(records)
        self.waiting = len(records)
        self.future = future
        self.is_abandoned = False


class Pending:
    """One record of a batch, on its way."""

    __slots__ = ("batch", "index", "is_settled")

    def __init__(self, batch: Batch, index: int) -> None:
        self.batch = batch
        self.index = index
        self.is_settled = False  # written by the loop, read by the thread

    @property
    def key(self) -> bytes:
        """The record's key."""
        return self.batch.records[self.index][0]

    @property
    def value(self) -> bytes:
        """The record's value."""
        return self.batch.records[self.index][1]

    @property
    def size_bytes(self) -> int:
        """What the record counts for in the bound."""
        key, value = self.batch.records[self.index]
        return len(key) + len(value)


class HandoverWriter(LogWriter):
    """A writer whose client library lives in a thread.

    A subclass says how to connect, how to send what was handed over, and how to discard the client. Those
    run in the thread; ``settle`` may be called from any thread.
    """

    def __init__(
        self, *, name: str, max_records: int = MAX_IN_FLIGHT_RECORDS, max_bytes: int = MAX_IN_FLIGHT_BYTES
    ) -> None:
        self._name = name
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._in_flight_records = 0
        self._in_flight_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._queue: queue.SimpleQueue[list[Pending] | None] = queue.SimpleQueue()
        self._settled: deque[tuple[Pending, LogUnavailable | None]] = deque()
        self._is_delivery_scheduled = False
        self._is_closed = False
        self._is_connected = False
        self._failure = ""  # empty until the first attempt to connect failed: records may wait for that
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stop = threading.Event()

    # What a backend adds; all of it runs in the thread.

    @abstractmethod
    def _connect(self) -> None:
        """Connect, and return when records can be sent; raise ``LogUnavailable`` within about a second."""

    @abstractmethod
    def _send(self, records: list[Pending]) -> None:
        """Send the records in order and ``settle`` each, now or later; raise to reconnect.

        What is not settled by then is settled with the error. No records: see whether to reconnect.
        """

    @abstractmethod
    def _disconnect(self, timeout_s: float) -> None:
        """Discard the client; everything sent is settled when this returns."""

    # The side of the event loop.

    async def start(self) -> None:
        """Begin to connect in the background."""
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"log-writer-{self._name}", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the log answered last time."""
        return self._is_connected

    async def wait_ready(self, *, timeout_s: float) -> bool:
        """Wait for the thread to be connected."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        return self._is_connected

    async def append_many(
        self, records: Sequence[tuple[bytes, bytes]], *, timeout_s: float
    ) -> list[LogUnavailable | None]:
        """Hand the records over and wait for their outcomes."""
        if not records:
            return []
        loop = self._loop
        if loop is None or self._is_closed:
            raise RuntimeError("the writer is not running; await start() first, and append nothing after close()")
        if not self._is_connected and self._failure:
            return [LogUnavailable(f"{self._name} is unavailable: {self._failure}")] * len(records)
        late = LogUnavailable(f"{self._name} gave no acknowledgement within {timeout_s:g} s")
        batch = Batch(records, loop.create_future(), late)
        pending = self._admit(batch)
        if pending:
            self._idle.clear()
            self._queue.put(pending)
            timer = loop.call_later(timeout_s, _give_up, batch)
            try:
                await batch.future
            finally:
                timer.cancel()
                batch.is_abandoned = True
        return list(batch.outcomes)

    async def flush(self, *, timeout_s: float) -> bool:
        """Wait until nothing is on its way."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Flush, stop the thread, and fail what did not get through."""
        if self._is_closed or self._thread is None:
            self._is_closed = True
            return
        await self.flush(timeout_s=timeout_s)
        self._is_closed = True
        self._stop.set()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, timeout_s)
        if self._thread.is_alive():
            logger.warning("log.writer_left_behind name=%s", self._name)
        self._deliver()

    def _admit(self, batch: Batch) -> list[Pending]:
        """Take in what fits into the bounds; the rest of the batch fails at once."""
        admitted = []
        for index, (key, value) in enumerate(batch.records):
            size = len(key) + len(value)
            error: LogUnavailable | None = oversize(key, value)
            if error is None and (
                self._in_flight_records >= self._max_records or self._in_flight_bytes + size > self._max_bytes
            ):
                error = LogUnavailable(
                    f"{self._name} is too slow: {self._in_flight_records} records "
                    f"({self._in_flight_bytes} bytes) are on their way"
                )
            if error is not None:
                batch.outcomes[index] = error
                batch.waiting -= 1
                continue
            self._in_flight_records += 1
            self._in_flight_bytes += size
            admitted.append(Pending(batch, index))
        return admitted

    def _deliver(self) -> None:
        """Hand the settled outcomes to those who wait for them."""
        self._is_delivery_scheduled = False
        settled = self._settled
        while settled:
            pending, error = settled.popleft()
            if pending.is_settled:
                continue
            pending.is_settled = True
            batch = pending.batch
            self._in_flight_records -= 1
            self._in_flight_bytes -= pending.size_bytes
            batch.outcomes[pending.index] = error
            batch.waiting -= 1
            if not batch.waiting and not batch.future.done():
                batch.future.set_result(None)
        if not self._in_flight_records:
            self._idle.set()

    # The side of the thread.

    def wake(self) -> None:
        """Let the thread call ``_send`` soon, with or without records."""
        self._queue.put([])

    def settle(self, pending: Pending, error: LogUnavailable | None) -> None:
        """Report the outcome of one record; the first report counts."""
        self._settled.append((pending, error))
        if not self._is_delivery_scheduled:
            self._is_delivery_scheduled = True
            self._on_loop(self._deliver)

    def _on_loop(self, call: Callable[[], object]) -> None:
        assert self._loop is not None, "start() sets the loop before the thread"
        # A closed loop: the program ended without close(), and nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _note_connected(self, is_connected: bool) -> None:
        if is_connected != self._is_connected:
            self._is_connected = is_connected
            self._on_loop(self._ready.set if is_connected else self._ready.clear)

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            try:
                self._connect()
                self._note_connected(True)
                attempt = 0
                logger.info("log.writer_connected name=%s", self._name)
                self._pump()
            except LogUnavailable as error:
                if self._is_connected or not attempt:
                    logger.warning("log.writer_disconnected name=%s reason=%s", self._name, error)
                self._lose_connection(error)
            except Exception as error:  # the edge of the thread: whatever happened, start over
                logger.exception("log.writer_failed name=%s", self._name)
                self._lose_connection(LogUnavailable(f"the client library failed: {error!r}"))
            finally:
                self._note_connected(False)
                self._disconnect(1.0)
            if not self._stop.is_set():
                self._stop.wait(RECONNECT_BACKOFF_S[min(attempt, len(RECONNECT_BACKOFF_S) - 1)])
                attempt += 1
        self._fail_queued(LogUnavailable(f"{self._name} was closed before the record got through"))

    def _pump(self) -> None:
        """Send what is handed over until the stop sign, or until ``_send`` loses the log."""
        while True:
            handed_over = self._queue.get()
            while handed_over is not None and len(handed_over) < MAX_HANDOVER_RECORDS:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._queue.put(None)
                    break
                handed_over = handed_over + more
            if handed_over is None:
                return
            self._send_live(handed_over)

    def _send_live(self, records: list[Pending]) -> None:
        live = []
        for pending in records:
            if pending.batch.is_abandoned:
                self.settle(pending, pending.batch.outcomes[pending.index])
            else:
                live.append(pending)
        for start in range(0, max(1, len(live)), MAX_HANDOVER_RECORDS):
            try:
                self._send(live[start : start + MAX_HANDOVER_RECORDS])
            except Exception as error:
                lost = error if isinstance(error, LogUnavailable) else LogUnavailable(f"sending failed: {error!r}")
                for pending in live[start:]:
                    self.settle(pending, lost)
                raise

    def _lose_connection(self, error: LogUnavailable) -> None:
        self._failure = str(error)
        self._note_connected(False)
        self._fail_queued(error)

    def _fail_queued(self, error: LogUnavailable) -> None:
        while True:
            try:
                handed_over = self._queue.get_nowait()
            except queue.Empty:
                return
            for pending in handed_over or ():
                self.settle(pending, error)


def _give_up(batch: Batch) -> None:
    """End the wait for what is still open; its records count as in flight until they are settled."""
    batch.is_abandoned = True
    if not batch.future.done():
        batch.future.set_result(None)
