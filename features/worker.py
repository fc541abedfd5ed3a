"""The stream worker as a step of a Celery worker: ``celery -A recsite worker -Q stream --pool=solo``.

Celery gives it life cycle, signals, remote control and monitoring. The loop runs in a thread of its own, so the pool
must be ``solo`` or ``threads``: connections do not survive a fork. It runs where the worker takes the queue ``stream``.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import Any, Final

from celery import bootsteps
from celery.exceptions import ImproperlyConfigured
from celery.worker.control import inspect_command
from django.conf import settings
from django.db import close_old_connections

from features import connections
from features.notify import announce_changed
from features.stream import StreamWorker

log = logging.getLogger(__name__)

QUEUE: Final = "stream"
POOLS: Final = ("solo", "threads")
STOP_TIMEOUT_S: Final = 20.0
RESTART_S: Final = 1.0

_running: list[StreamWorker] = []


def make_stream_worker() -> StreamWorker:
    """Return a worker of ``EVENT_LOG_URL`` and ``REDIS_URL``; it connects at its first step."""
    return StreamWorker(
        connections.event_log(),
        connections.store(),
        lateness_ms=settings.LATENESS_MS,
        batch_records=settings.STREAM_BATCH_RECORDS,
        announce=partial(announce_changed, connections.client()),
    )


class StreamStep(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """Starts the loop once the pool is up, and drains it when the worker stops."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        super().__init__(worker, **kwargs)

    def include_if(self, worker: Any) -> bool:
        """Run only in workers that take the queue ``stream``."""
        return QUEUE in worker.app.amqp.queues.consume_from

    def start(self, worker: Any) -> None:
        """Start the loop."""
        pool = worker.pool_cls.__module__.rpartition(".")[2]
        if pool not in ("solo", "thread"):
            raise ImproperlyConfigured(
                f"the queue {QUEUE!r} needs --pool=solo or --pool=threads, not {pool}: "
                "connections to Kafka and Redis do not survive a fork"
            )
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """Let the batch in hand be written, leave the group, and return."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
            log.info("stream.stopped is_clean=%s", not self._thread.is_alive())

    terminate = stop

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                stream = make_stream_worker()
            except Exception:  # a Cluster is asked for its map when the client is made
                log.exception("stream.start_failed retry_s=%s", RESTART_S)
                self._stop.wait(RESTART_S)
                continue
            _running.append(stream)
            try:
                stream.run(self._stop)
            except Exception:
                log.exception("stream.ended retry_s=%s", RESTART_S)
                self._stop.wait(RESTART_S)
            finally:
                _running.remove(stream)
                close_old_connections()


@inspect_command(name="stream")  # type: ignore[untyped-decorator]  # celery ships no types
def inspect_stream(state: Any) -> list[dict[str, Any]]:
    """Return partitions, positions, lag and totals: ``celery -A recsite inspect stream``."""
    return [
        {
            "positions": {str(partition): position for partition, position in status.positions.items()},
            "lag_records": {str(partition): lag for partition, lag in status.lag_records.items()},
            "events": dict(status.outcomes),
            "records": status.records,
            "batches": status.batches,
            "fenced": status.fenced,
            "is_paused": status.is_paused,
            "freshness_ms": status.freshness_ms,
        }
        for status in (worker.status for worker in list(_running))
    ]
