"""Wait for what a test needs to happen, and no longer: the one place where tests look at a clock and sleep.

A test that sleeps "long enough" fails on a busy machine and wastes time on an idle one. ``tests/test_determinism.py``
refuses other calls of ``sleep``, but those with a comment that says whose slowness or pace it imitates: ``# sleep: …``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeVar

import redis

T = TypeVar("T")

DEADLINE_S: Final = 120.0
"""How long to wait for something that takes milliseconds on an idle machine: beyond it, it will never happen."""
BROWSER_S: Final = 300.0
"""The same for a whole story in a browser; its steps have ``DEADLINE_MS`` of ``tests/services/deadline.mjs`` each."""

COMMAND_S: Final = 300.0
"""How long a command such as ``migrate`` may take, which takes seconds on an idle machine."""

STEP_S: Final = 0.02


def wait_until(
    condition: Callable[[], T], what: str = "", *, within_s: float = DEADLINE_S, step_s: float = STEP_S
) -> T:
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


def outlast(seconds: float, limit: str) -> None:
    """Return when ``seconds`` have passed, so that a ``limit`` which the program keeps by its own clock is over.

    A time-out, a TTL, the pause of a breaker: a slow machine makes the wait longer, never too short.
    """
    assert limit
    time.sleep(seconds)


async def outlast_async(seconds: float, limit: str) -> None:
    """Return when ``seconds`` have passed and ``limit`` is over; others run meanwhile."""
    assert limit
    await asyncio.sleep(seconds)


def until_subscribed(url: str, channel: str, listeners: int = 1) -> None:
    """Return when ``listeners`` processes hear a channel of Redis: what is announced earlier, nobody hears."""
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        wait_until(lambda: client.pubsub_numsub(channel)[0][1] >= listeners, f"{listeners} listeners of {channel}")
