"""One training at a time, of all sites: a lock in Redis that says who holds it, and dies with its holder."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import redis.exceptions

from features.exceptions import StoreUnavailable
from features.store import connections
from recommendations import keys
from recommendations.exceptions import RecommendationError
from tracking.redis_client import UNAVAILABLE

logger = logging.getLogger(__name__)

LOCK_TTL_S: Final = float(keys.TRAINING_LOCK.ttl_s)
RENEW_S: Final = 5.0


class AlreadyTraining(RecommendationError):
    """Another training holds the lock; the message says whose, and since when."""


class LockLost(RecommendationError):
    """The lock lapsed or was taken: this process had stood still, and another training may have begun."""

    def __init__(self) -> None:
        super().__init__("the lock was lost: this process had stood still, and another training may have begun")


class TrainingLock:
    """The lock, by somebody: memory is needed once, so it is one for all sites.

    Whoever holds it renews it; ``LOCK_TTL_S`` after the holder has died it is gone.
    """

    def __init__(self, what: str) -> None:
        where = f"process {os.getpid()} on {socket.gethostname()}"
        self._token = f"{what} ({where}), since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC #{secrets.token_hex(8)}"
        self._lock: Any = connections.client().lock(
            keys.training_lock(), timeout=LOCK_TTL_S, blocking=False, thread_local=False
        )

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        AlreadyTraining
            Somebody else has it.
        StoreUnavailable
            Redis does not answer, so nothing says whether another training runs.
        """
        try:
            taken = self._lock.acquire(token=self._token)
            holder: Any = None if taken else connections.client().get(keys.training_lock())
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"the training lock cannot be had: {error}; is Redis running?") from error
        if not taken:
            who = (
                "somebody who has just ended" if holder is None else holder.decode(errors="replace").partition(" #")[0]
            )
            raise AlreadyTraining(
                f"another training runs: {who}; one at a time, of all sites. Try again when it has ended"
            )

    def renew(self) -> None:
        """Keep the lock for another ``LOCK_TTL_S``; raises ``LockLost`` or ``StoreUnavailable``."""
        try:
            self._lock.reacquire()
        except redis.exceptions.LockError as error:
            raise LockLost from error
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"the training lock cannot be renewed: {error}") from error

    def release(self) -> None:
        """Give the lock back; one that was lost meanwhile is left to whoever has it."""
        try:
            self._lock.release()
        except (redis.exceptions.LockError, *UNAVAILABLE) as error:
            logger.warning("training.lock_not_released error=%s", error)


def is_training() -> bool:
    """Return whether a training holds the lock."""
    try:
        return bool(connections.client().exists(keys.training_lock()))
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"the training lock cannot be read: {error}") from error


@contextmanager
def training_lock(what: str) -> Iterator[Callable[[], None]]:
    """Hold the lock while this process trains by itself; a thread renews it.

    Yields a function that raises ``LockLost`` once the lock is another's: call it between steps.
    """
    lock = TrainingLock(what)
    lock.acquire()
    stop, lost = threading.Event(), threading.Event()

    def keep() -> None:
        renewed = time.monotonic()
        while not stop.wait(RENEW_S):
            try:
                lock.renew()
                renewed = time.monotonic()
            except LockLost:
                lost.set()
            except StoreUnavailable:
                if time.monotonic() - renewed > LOCK_TTL_S / 2:
                    lost.set()
            if lost.is_set():
                return

    def check() -> None:
        if lost.is_set():
            raise LockLost

    thread = threading.Thread(target=keep, name="training-lock", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        stop.set()
        thread.join(RENEW_S)
        lock.release()
