"""A record is durable before its sender hears so: in the log within 50 ms, else fsynced in the spool.

While records of this process wait in the spool, newer ones queue behind them, so that the order of a key holds.
When the drain has nearly caught up, newcomers wait a moment for it instead, so that the spool is left again
under load. Not promised: the order among records that were on their way in the moment the log failed, and that a
record arrives once (its acknowledgement may have been lost).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from tracking.collect.spool import Spool
from tracking.exceptions import SpoolFull
from tracking.log.base import LogWriter, RecordTooLarge
from tracking.metrics import DRAINED_RECORDS, PUBLISHED_RECORDS, SPOOLED_RECORDS

logger = logging.getLogger(__name__)

Destination: TypeAlias = Literal["log", "spool"]
Outcome: TypeAlias = Destination | SpoolFull | RecordTooLarge
Result = TypeVar("Result")

MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
DISK_TIMEOUT_S: Final = 2.0
DRAIN_TIMEOUT_S: Final = 6.0
"""Longer than the Kafka writer's delivery time-out, so that a record is not sent while its copy may arrive."""
DRAIN_RECORDS: Final = 500
DRAIN_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5)
ADOPT_EVERY_S: Final = 15.0


@dataclass(slots=True, eq=False)
class _Waiting:
    """Records that wait for the disk."""

    records: Sequence[tuple[bytes, bytes]]
    size: int
    future: asyncio.Future[None]


class DurableWriter:
    """Appends to the log, or to the spool when the log does not answer; one a process.

    Parameters
    ----------
    log_writer : LogWriter
        Started and closed here.
    spool : Spool
        Opened and closed here; touched by one thread only.
    wait_s : float
        How long a record may wait for the log before it is spooled.
    """

    def __init__(self, log_writer: LogWriter, spool: Spool, *, wait_s: float = 0.05) -> None:
        self._log = log_writer
        self._spool = spool
        self._wait_s = wait_s
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._is_committing = False
        self._commit_task: asyncio.Task[None] | None = None
        self._drain_task: asyncio.Task[None] | None = None
        self._on_their_way = 0  # calls that wait for the log
        self._calm = asyncio.Event()  # set while that is none
        self._calm.set()
        self._is_spooling = False
        self._is_nearly_drained = False
        self._drained = asyncio.Event()
        self._work = asyncio.Event()  # something to drain
        self._is_closing = False
        self._last_failure = ""

    async def start(self) -> None:
        """Open the spool, adopt what dead processes left, and begin to connect and to drain.

        Raises
        ------
        OSError
            The spool's folder cannot be written to.
        """
        await self._on_disk(self._spool.open)
        await self._log.start()
        self._drain_task = asyncio.create_task(self._drain(), name="spool-drain")

    async def append(self, key: bytes, value: bytes) -> Destination:
        """Append one record; return where it is safe now.

        Raises
        ------
        SpoolFull
            Neither the log nor the spool took it: answer 503 with Retry-After, never 202.
        RecordTooLarge
            It can never be appended.
        """
        outcome = (await self.append_many([(key, value)]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def append_many(self, records: Sequence[tuple[bytes, bytes]]) -> list[Outcome]:
        """Append records in order; return, for each, where it is safe now or why it is not."""
        if self._is_closing or self._drain_task is None:
            raise RuntimeError("the writer is not running; await start() first, and append nothing after close()")
        outcomes: list[Outcome] = ["log"] * len(records)
        if self._is_spooling:
            await self._wait_for_turn()
        if self._is_spooling:
            left = list(range(len(records)))
        else:
            left = await self._try_log(records, outcomes)
        if left:
            try:
                await self._commit([records[index] for index in left])
                outcome: Outcome = "spool"
            except SpoolFull as error:
                outcome = error
            for index in left:
                outcomes[index] = outcome
        PUBLISHED_RECORDS.inc(outcomes.count("log"))
        return outcomes

    async def flush(self, *, timeout_s: float) -> bool:
        """Wait until the log has everything; False when ``timeout_s`` was not enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._is_spooling or self._waiting or not await self._on_disk(lambda: self._spool.is_empty):
                    self._drained.clear()
                    self._work.set()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._drained.wait(), 0.1)
                return await self._log.flush(timeout_s=timeout_s)
        return False

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Bring to the log what it takes within ``timeout_s``; the rest stays on the disk."""
        if self._is_closing or self._drain_task is None:
            return
        self._is_closing = True
        await self._calm.wait()
        if self._commit_task is not None:
            await self._commit_task
        if self._log.is_ready:
            await self.flush(timeout_s=timeout_s)
        self._drain_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._drain_task
        await self._log.close(timeout_s=timeout_s)
        await self._on_disk(self._spool.close)
        self._disk.shutdown(wait=False)

    # The way through the log.

    async def _try_log(self, records: Sequence[tuple[bytes, bytes]], outcomes: list[Outcome]) -> list[int]:
        """Return the indexes of what the log did not take."""
        self._on_their_way += 1
        self._calm.clear()
        try:
            errors = await self._log.append_many(records, timeout_s=self._wait_s)
        finally:
            self._on_their_way -= 1
            if not self._on_their_way:
                self._calm.set()
        left = []
        for index, error in enumerate(errors):
            if isinstance(error, RecordTooLarge):
                outcomes[index] = error
            elif error is not None:
                left.append(index)
        if left and not self._is_spooling:
            logger.warning("spool.begun reason=%s", errors[left[0]])
            self._is_spooling = True
            self._drained.clear()
        return left

    async def _wait_for_turn(self) -> None:
        """Let older records go first: those still on their way to the log, or the last ones of the drain."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                if self._is_nearly_drained:
                    await self._drained.wait()
                await self._calm.wait()

    # The way through the disk.

    async def _commit(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Return once the records are fsynced; calls that come together share one fsync."""
        size = sum(len(key) + len(value) for key, value in records)
        if self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise SpoolFull(f"the disk is too slow: {self._waiting_bytes} bytes wait for it")
        waiting = _Waiting(records, size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += size
        if not self._is_committing:
            self._is_committing = True
            self._commit_task = asyncio.create_task(self._commit_all(), name="spool-commit")
        try:
            async with asyncio.timeout(DISK_TIMEOUT_S):
                await asyncio.shield(waiting.future)
        except TimeoutError:
            raise SpoolFull(f"the disk did not answer within {DISK_TIMEOUT_S:g} s") from None

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    await self._on_disk(self._spool.append_many, [record for one in group for record in one.records])
                except SpoolFull as error:
                    if len(group) == 1:
                        self._settle(group[0], error)
                    else:  # what does not fit together may fit one by one
                        for one in group:
                            await self._commit_one(one)
                else:
                    for one in group:
                        self._settle(one, None)
                self._work.set()  # here, not at the end: under load there is always a next group
        finally:
            self._is_committing = False
            self._work.set()

    async def _commit_one(self, one: _Waiting) -> None:
        try:
            await self._on_disk(self._spool.append_many, one.records)
        except SpoolFull as error:
            self._settle(one, error)
        else:
            self._settle(one, None)

    def _settle(self, one: _Waiting, error: SpoolFull | None) -> None:
        self._waiting_bytes -= one.size
        if error is None:
            SPOOLED_RECORDS.inc(len(one.records))
        if one.future.done():
            return
        if error is None:
            one.future.set_result(None)
        else:
            one.future.set_exception(error)
            one.future.exception()  # whoever timed out on it does not wait any more

    async def _on_disk(self, call: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._disk, call, *arguments)

    # The way back.

    async def _drain(self) -> None:
        """Move what waits on the disk into the log, oldest first, for as long as the process lives."""
        loop = asyncio.get_running_loop()
        adopted_at = loop.time()
        failures, most = 0, DRAIN_RECORDS
        while True:
            is_moved = False
            try:
                if loop.time() - adopted_at > ADOPT_EVERY_S:
                    adopted_at = loop.time()
                    await self._on_disk(self._spool.adopt_orphans)
                chunk = await self._on_disk(self._spool.peek, most)
                if not chunk:
                    await self._rest(adopted_at + ADOPT_EVERY_S - loop.time())
                    continue
                self._is_nearly_drained = failures == 0 and len(chunk) < most
                is_moved = await self._move(chunk) == len(chunk)
            except Exception:  # the edge of the loop: a drain that ends would strand what is on the disk
                logger.exception("spool.drain_failed")
            if is_moved:
                failures, most = 0, min(DRAIN_RECORDS, most * 8)
            else:
                # A log that may be frozen gets one record to try, not hundreds that arrive twice later.
                self._is_nearly_drained, most = False, 1
                await asyncio.sleep(DRAIN_BACKOFF_S[min(failures, len(DRAIN_BACKOFF_S) - 1)])
                failures += 1

    async def _move(self, chunk: list[tuple[bytes, bytes]]) -> int:
        """Append ``chunk`` to the log and forget what it has; return how many."""
        errors = await self._log.append_many(chunk, timeout_s=DRAIN_TIMEOUT_S)
        moved = 0
        for error in errors:
            if isinstance(error, RecordTooLarge):
                logger.error("spool.dropped reason=%s", error)
            elif error is not None:
                if str(error) != self._last_failure:
                    self._last_failure = str(error)
                    logger.warning("spool.drain_waits reason=%s", error)
                break
            moved += 1
        if moved:
            await self._on_disk(self._spool.forget, moved)
            DRAINED_RECORDS.inc(moved)
        return moved

    async def _rest(self, timeout_s: float) -> None:
        """Nothing to read: leave the spool if nothing is being written either, and wait for work."""
        if not self._is_committing and not self._waiting and not self._spool.has_own:
            if self._is_spooling:
                logger.warning("spool.drained")
            self._is_spooling = self._is_nearly_drained = False
            self._drained.set()
            self._work.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work.wait(), max(0.01, timeout_s))
        self._work.clear()
