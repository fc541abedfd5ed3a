"""Appends to logs from a synchronous program: one event loop in a thread of its own, one writer a log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from features.exceptions import StoreUnavailable
from tracking.log import EventLog, LogUnavailable, LogWriter, RecordTooLarge

TIMEOUT_S: Final = 5.0

T = TypeVar("T")


class Appender:
    """Appends to a log, or to one beside it; connects when the first record comes.

    Parameters
    ----------
    log : EventLog
    sibling : str, optional
        Name of the log beside ``log`` to append to.
    """

    def __init__(self, log: EventLog, *, sibling: str | None = None) -> None:
        self._log = log if sibling is None else log.sibling(sibling)
        self._is_sibling = sibling is not None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._writer: LogWriter | None = None

    def append(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Append records, key and value, and return once they are durable; what is too large for the log is left out.

        Raises
        ------
        StoreUnavailable
            The log did not take them.
        """
        if records:
            self._run(self._append(records))

    def close(self) -> None:
        """Close what was opened."""
        if self._loop is None or self._thread is None:
            return
        if self._writer is not None:
            self._run(self._writer.close(timeout_s=TIMEOUT_S))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()
        self._loop = self._writer = None

    async def _append(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        if self._writer is None:
            if self._is_sibling:
                await asyncio.to_thread(self._log.ensure_topic, timeout_s=TIMEOUT_S)
            writer = self._log.writer()
            await writer.start()
            self._writer = writer
        for error in await self._writer.append_many(records, timeout_s=TIMEOUT_S):
            if error is not None and not isinstance(error, RecordTooLarge):
                raise error

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="appender", daemon=True)
            self._thread.start()
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(3 * TIMEOUT_S)
        except (LogUnavailable, TimeoutError) as error:
            raise StoreUnavailable(f"the log {self._log.topic} takes no records: {error}") from error
