"""The bridge from asyncio to threads: done in time or not, and stopped."""

from __future__ import annotations

import threading

import pytest

from recommendations.core.deadline import Deadline
from recommendations.serving.workers import Workers


def _wait(event: threading.Event) -> None:
    event.wait(30)


def _fail() -> None:
    raise ZeroDivisionError


async def test_work_is_done_on_another_thread() -> None:
    workers, threads = Workers(), list[int]()

    assert await workers.done(lambda: threads.append(threading.get_ident()), Deadline.after(10_000.0))
    assert threads != [threading.get_ident()]
    workers.stop()


async def test_what_takes_longer_than_the_deadline_is_not_waited_for() -> None:
    workers, may_end = Workers(), threading.Event()

    assert not await workers.done(lambda: _wait(may_end), Deadline.after(5.0))
    may_end.set()
    workers.stop()


async def test_what_fails_is_raised_here() -> None:
    workers = Workers()

    with pytest.raises(ZeroDivisionError):
        await workers.done(_fail, Deadline.after(10_000.0))
    workers.stop()
