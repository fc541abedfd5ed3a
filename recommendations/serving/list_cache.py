"""Cached lists, kept for as long as nothing they depend on changed; and one computation of a list at a time.

The key holds the version of the user's state, so activity itself invalidates: a click changes the version, and the
next request finds nothing. What is kept is rows and reasons, a few hundred bytes; ids of replies are always new.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from recommendations.core.deadline import monotonic_ms
from recommendations.metrics import PERSONAL_CACHE

T = TypeVar("T")
_HITS: Final = PERSONAL_CACHE.labels("hit")
_MISSES: Final = PERSONAL_CACHE.labels("miss")

MAX_ENTRIES: Final = 20_000
MAX_AGE_MS: Final = 30_000.0
"""Schedules of rules and ages of items move lists, too, without any version that could say so."""


class ListCache(Generic[T]):
    """A bounded memory of finished work, for one event loop. The oldest entry goes first."""

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_age_ms: float = MAX_AGE_MS,
        clock: Callable[[], float] = monotonic_ms,
    ) -> None:
        self._max_entries = max_entries
        self._max_age_ms = max_age_ms
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._running: dict[Hashable, asyncio.Future[T]] = {}

    def get(self, key: Hashable) -> T | None:
        """Return what is kept under ``key``, unless it is too old."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < self._clock():
            _MISSES.inc()
            return None
        _HITS.inc()
        return entry[1]

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value."""
        self._entries[key] = (self._clock() + self._max_age_ms, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    async def get_or_make(
        self,
        key: Hashable,
        make: Callable[[], Awaitable[T]],
        *,
        is_worth_keeping: Callable[[T], bool] = lambda value: True,
    ) -> T:
        """Return what is kept, or make it; callers who come while it is being made wait for the same result.

        A failure is not kept: those who waited see it too, and the next caller tries again. When the maker is
        cancelled, as when its page is closed, one of those who waited makes it.
        """
        while True:
            found = self.get(key)
            if found is not None:
                return found
            running = self._running.get(key)
            if running is None:
                break
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not running.cancelled() or (task is not None and task.cancelling()):
                    raise  # it was us who were cancelled
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._running[key] = future
        try:
            value = await make()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
                future.exception()  # seen: nobody may be waiting
            raise
        else:
            if is_worth_keeping(value):
                self.put(key, value)
            future.set_result(value)
            return value
        finally:
            del self._running[key]
