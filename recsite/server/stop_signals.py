"""A clean stop from the first moment: SIGTERM while a worker still imports ends it with status 0, like any later one.

A Python program has no handlers for its first tenths of a second, and Celery sets its own only after everything is
imported. So whoever starts one holds the signal back (``held_sigterm``): the kernel keeps it for the new process, which
takes it (``exit_on_sigterm``) as soon as it can end well. Imports nothing heavy, and comes before everything that does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from types import FrameType


@contextmanager
def held_sigterm() -> Iterator[None]:
    """Start processes in it: SIGTERM waits until they take it, so start only those that do."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def exit_on_sigterm() -> None:
    """End this process with status 0 on SIGTERM, one that was held back included, until another handler is set.

    Only for a process that has begun nothing: it ends at once, wherever it is. An exception would be lost where Python
    ignores those, as in callbacks of the import system.
    """
    signal.signal(signal.SIGTERM, _exit)
    release_sigterm()


def release_sigterm() -> None:
    """Let a SIGTERM that was held back come, to the handler that is set now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def is_celery_program() -> bool:
    """Return whether this process is Celery's command (worker, beat, inspect …), and not one that sends it tasks."""
    program = PurePath(sys.argv[0]) if sys.argv else PurePath()
    return program.name == "celery" or program.parts[-2:] == ("celery", "__main__.py")


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(0)
