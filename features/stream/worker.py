"""The stream worker as a step of a Celery worker: ``celery -A recsite worker -Q stream --pool=solo``.

Celery gives it life cycle, signals, remote control and monitoring. The loop runs in a thread of its own, so the pool
must be ``solo`` or ``threads``: connections do not survive a fork. It runs where the worker takes the queue ``stream``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from celery import bootsteps
from celery.exceptions import ImproperlyConfigured
from celery.worker.control import inspect_command
from django.conf import settings
from django.db import close_old_connections

from features.archive.writer import ArchiveFolder, ArchiveWorker
from features.catalogue.known import keys_of_site
from features.exceptions import PartitionsDiffer
from features.exchange.site import loaded_money_of
from features.money import in_euros
from features.state.counting.unknown import know_everything
from features.store import connections
from features.stream.emptied import never_used, was_used
from features.stream.loop import StreamWorker
from features.stream.notify import announce_changed
from features.stream.topic import check_topic
from tracking.access.voices import voice_of
from tracking.log import LogUnavailable
from tracking.snapshots.snapshot import start_snapshots

logger = logging.getLogger(__name__)

QUEUE: Final = "stream"
STOP_TIMEOUT_S: Final = 20.0
RESTART_S: Final = 1.0

_running: list[StreamWorker] = []


def make_stream_worker(*, with_profiles: bool = True) -> StreamWorker:
    """Return a worker of ``EVENT_LOG_URL`` and ``REDIS_URL``; it connects at its first step.

    Without ``with_profiles`` it needs no database: it forgets whom Redis has forgotten, and counts whatever is named.
    """
    if with_profiles:  # the models are there only once Django is set up
        from features.stream.profiles import ProfileArchive
        from features.stream.sources.dropped import forgotten_drops
    return StreamWorker(
        connections.event_log(),
        connections.store(),
        lateness_ms=settings.LATENESS_MS,
        batch_records=settings.STREAM_BATCH_RECORDS,
        announce=partial(announce_changed, connections.client()),
        profiles=ProfileArchive() if with_profiles else None,
        was_used=was_used if with_profiles else never_used,
        drops=forgotten_drops if with_profiles else lambda: None,
        keys_of_site=keys_of_site if with_profiles else know_everything,
        money_of=loaded_money_of if with_profiles else in_euros,
        voices=voice_of,
    )


def make_archive_worker() -> ArchiveWorker:
    """Return a worker that writes what is in ``EVENT_LOG_URL`` to ``RECSITE_ARCHIVE_URL``."""
    from features.stream.sources.dropped import forgotten_drops  # the models are there only once Django is set up

    return ArchiveWorker(
        connections.event_log(), connections.store(), ArchiveFolder(settings.ARCHIVE_URL), drops=forgotten_drops
    )


class StreamStep(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """Starts the loop and the archive's once the pool is up, and drains both when the worker stops."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
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
        try:
            check_topic()
        except PartitionsDiffer as error:
            raise ImproperlyConfigured(str(error)) from error
        except LogUnavailable as error:
            logger.warning("stream.log_unavailable error=%s: the worker waits for it", error)
        for name, work in (("stream", self._run_stream), ("archive", self._run_archive)):
            thread = threading.Thread(target=self._keep_running, args=(name, work), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, worker: Any) -> None:
        """Let the batch in hand be written, leave the groups, and return."""
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT_S)
            logger.info("%s.stopped is_clean=%s", thread.name, not thread.is_alive())

    terminate = stop

    def _keep_running(self, name: str, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except Exception:  # the log or Redis may be unavailable; this thread tries until they are back
                logger.exception("%s.ended retry_s=%s", name, RESTART_S)
                self._stop.wait(RESTART_S)
        close_old_connections()

    def _run_stream(self) -> None:
        check_topic()
        start_snapshots()  # what the sites know, and their currencies and rates
        _load_forgotten()
        stream = make_stream_worker()
        _running.append(stream)
        try:
            stream.run(self._stop)
        finally:
            _running.remove(stream)

    def _run_archive(self) -> None:
        check_topic()
        _load_forgotten()
        make_archive_worker().run(self._stop)


def _load_forgotten() -> None:
    """Know the forgotten sources before the first record: who begins at the log's beginning meets old ones."""
    from features.stream.sources.dropped import forgotten

    forgotten.refresh()


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
            "halted": {str(partition): error for partition, error in status.halted.items()},
            "foreign": {str(partition): error for partition, error in status.foreign.items()},
            "freshness_ms": status.freshness_ms,
        }
        for status in (worker.status for worker in list(_running))
    ]
