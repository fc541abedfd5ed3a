"""What a web process starts and stops for collecting: keys, spool, log, quotas; and the endpoint itself."""

from __future__ import annotations

import asyncio
from typing import Final

from django.conf import settings
from django.db import connection

from tracking.access.sites import keys as key_snapshot
from tracking.collect.durable import DurableWriter
from tracking.collect.endpoint import Collector
from tracking.collect.idempotency import Idempotency
from tracking.collect.live_events import LiveEvents
from tracking.collect.spool import Spool
from tracking.dead_letters.letter import DeadLetterOutbox
from tracking.http.edge import HotPath, Reply, Request
from tracking.http.quotas import Quotas
from tracking.log import open_log
from tracking.quality.counts import QualityCounts
from tracking.snapshots.snapshot import start_snapshots


class _Service:
    """The collector of this process, with all it needs; started by ASGI's lifespan, else by the first request."""

    def __init__(self) -> None:
        self._collector: Collector | None = None
        self._writer: DurableWriter | None = None
        self._letters: DeadLetterOutbox | None = None
        self._idempotency: Idempotency | None = None
        self._quotas = Quotas()
        self._live = LiveEvents()
        self._quality = QualityCounts()
        self._starting: asyncio.Lock | None = None

    async def start(self) -> Collector:
        self._starting = self._starting or asyncio.Lock()
        async with self._starting:
            if self._collector is None:
                start_snapshots()
                if not key_snapshot.is_loaded:
                    await asyncio.to_thread(_load_keys)
                events = open_log(settings.EVENT_LOG_URL)
                writer = DurableWriter(
                    events.writer(),
                    Spool(settings.SPOOL_DIR, max_bytes=settings.SPOOL_MAX_MB * 1024 * 1024),
                    wait_s=settings.EVENT_LOG_TIMEOUT_MS / 1000,
                )
                await writer.start()
                self._quotas.start(settings.REDIS_URL)
                self._live.start(settings.REDIS_URL)
                self._quality.start(settings.REDIS_URL)
                self._writer = writer
                self._idempotency = Idempotency(settings.REDIS_URL, timeout_s=settings.REDIS_TIMEOUT_MS / 1000)
                self._letters = DeadLetterOutbox(events)
                await self._letters.start()
                self._collector = Collector(
                    writer,
                    quotas=self._quotas,
                    live=self._live,
                    quality=self._quality,
                    letters=self._letters,
                    idempotency=self._idempotency,
                )
            return self._collector

    async def stop(self) -> None:
        writer, self._writer, self._collector, self._starting = self._writer, None, None, None
        if writer is not None:
            await writer.close()
        if self._letters is not None:
            await self._letters.close()
        if self._idempotency is not None:
            await self._idempotency.close()
        await asyncio.to_thread(self._live.stop)
        await asyncio.to_thread(self._quality.stop)
        await asyncio.to_thread(self._quotas.stop)

    async def collect(self, request: Request) -> Reply:
        collector = self._collector or await self.start()
        return await collector.collect(request)


def _load_keys() -> None:
    key_snapshot.refresh()
    connection.close()  # of a thread that needs it this once


_service: Final = _Service()

#: ASGI application of ``POST /v1/events``.
collect_application: Final = HotPath(_service.collect, name="collect")


async def startup() -> None:
    """Load the keys, open the spool and begin to connect to the log; returns also when those are unavailable."""
    await _service.start()


async def shutdown() -> None:
    """Bring to the log what it takes; what it does not stays in the spool for the next start."""
    await _service.stop()
