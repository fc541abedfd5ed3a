"""Whether the log has as many partitions as ``EVENT_LOG_URL`` says; workers wait for the answer."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Final

from django.conf import settings

from features.exceptions import PartitionsDiffer
from tracking.log import LogUnavailable, open_log

logger = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 5.0
STOP_TIMEOUT_S: Final = 15.0
"""Longer than a question to a log that does not answer."""


def check_topic() -> None:
    """Make the topic where it is missing, and refuse a partition-count mismatch with ``EVENT_LOG_URL``.

    Raises
    ------
    PartitionsDiffer
        A user's state stands under the number of its partition; readers that count otherwise would not find it.
    LogUnavailable
        The log is unavailable.
    """
    events = open_log(settings.EVENT_LOG_URL)  # not the shared one: asking changes what it says
    configured = events.partitions
    found = events.ensure_topic()
    if found != configured:
        raise PartitionsDiffer(events.topic, found=found, configured=configured)


class TopicCheck:
    """Asks the log once, in a thread of its own, and again while it is unavailable; nobody waits for the answer.

    A process that counts otherwise than the workers reads no features and erases nobody: it must get no traffic.
    """

    def __init__(self, *, ask_again_s: float = ASK_AGAIN_S) -> None:
        self._ask_again_s = ask_again_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem: str | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the log has said how many partitions it has."""
        return self._thread is not None and not self._thread.is_alive()

    def problem(self) -> str | None:
        """Return why this process must get no traffic; None also while the log has not answered yet."""
        return self._problem

    async def start(self) -> None:
        """Begin to check."""
        self._stop.clear()
        self._problem = None
        self._thread = threading.Thread(target=self._check, name="topic-check", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop checking."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    def _check(self) -> None:
        while not self._stop.is_set():
            try:
                check_topic()
            except PartitionsDiffer as error:
                self._problem = str(error)
                logger.error("topic.partitions_differ: this process is not ready: %s", error)
                return
            except LogUnavailable as error:
                logger.info("topic.log_unavailable error=%s retry_s=%s", error, self._ask_again_s)
                self._stop.wait(self._ask_again_s)
            else:
                return
