"""Wait for what a test needs to happen, and no longer: the one place where tests look at a clock and sleep.

A test that sleeps "long enough" fails on a busy machine and wastes time on an idle one. ``tests/test_determinism.py``
refuses ``sleep`` elsewhere, unless a comment says whose slowness it imitates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeVar

T = TypeVar("T")

DEADLINE_S: Final = 60.0
"""How long to wait for something that takes milliseconds on an idle machine: beyond it, it will never happen."""
STEP_S: Final = 0.02


def wait_until(condition: Callable[[], T], what: str = "", *, within_s: float = DEADLINE_S, step_s: float = STEP_S) -> T:
    """Return the first truthy value of ``condition``; fail with ``what`` when there is none in time."""
    give_up_at = time.monotonic() + within_s
    while True:
        if found := condition():
            return found
        assert time.monotonic() < give_up_at, f"waited {within_s:g} s in vain for {what or condition}"
        time.sleep(step_s)


async def wait_until_async(
    condition: Callable[[], T | Awaitable[T]], what: str = "", *, within_s: float = DEADLINE_S, step_s: float = STEP_S
) -> T:
    """Return the first truthy value of ``condition``, which may be a coroutine function; others run meanwhile."""
    give_up_at = time.monotonic() + within_s
    while True:
        found = condition()
        value: T = await found if isawaitable(found) else found  # type: ignore[assignment]  # T itself is not awaitable
        if value:
            return value
        assert time.monotonic() < give_up_at, f"waited {within_s:g} s in vain for {what or condition}"
        await asyncio.sleep(step_s)


def stays(condition: Callable[[], object], *, for_s: float, step_s: float = STEP_S) -> bool:
    """Return whether ``condition`` holds all the time for ``for_s`` seconds.

    For what must *not* happen. A slow machine can hide a mistake from it, but never makes a right program fail.
    """
    end_at = time.monotonic() + for_s
    while time.monotonic() < end_at:
        if not condition():
            return False
        time.sleep(step_s)
    return bool(condition())


async def stays_async(condition: Callable[[], object], *, for_s: float, step_s: float = STEP_S) -> bool:
    """Return whether ``condition`` holds all the time for ``for_s`` seconds; others run meanwhile."""
    end_at = time.monotonic() + for_s
    while time.monotonic() < end_at:
        if not condition():
            return False
        await asyncio.sleep(step_s)
    return bool(condition())


def pass_time(until_s: float) -> None:
    """Return when ``time.time()`` has reached ``until_s``: for limits that a real server keeps by its own clock."""
    while (left_s := until_s - time.time()) > 0:
        time.sleep(min(left_s, 1.0))
