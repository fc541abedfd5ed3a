"""What a web process starts and stops for serving; called by ASGI's lifespan, else by the first request."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from typing import Final

from django.conf import settings
from django.db import connection

from recommendations.live.hub import close_hub
from recommendations.serving.admission.quotas import quotas
from recommendations.serving.explanation_log import keeper as explanations
from recommendations.serving.outside.proposals import close_outside
from recommendations.serving.outside.report import reporter as outside_reports
from recommendations.serving.service import stop_workers
from recommendations.serving.shadow import runner as shadow
from recommendations.serving.user import close_reader
from recommendations.state.placements import watch_placements
from recommendations.state.site import watch_site
from tracking.access.sites import all_sites, before_sites_are_known
from tracking.access.sites import keys as key_snapshot
from tracking.snapshots.snapshot import start_snapshots

logger = logging.getLogger(__name__)

COLLECT_AFTER: Final = (20_000, 20, 100)
"""A list makes a few thousand objects, and none of them in cycles."""

NEW_SITE_S: Final = 3.0
"""How long the keys of a new site wait for what it is served from; less than a revoked key may take to be refused."""

wait = time.sleep
_been_ready: Final = threading.Event()
_started: Final = threading.Event()


async def startup() -> None:
    """Load every site's catalogue, placements and models; returns also when parts are unavailable."""
    start_snapshots()
    before_sites_are_known(_load_new)
    quotas.start(settings.REDIS_URL)
    await asyncio.to_thread(_load_all)
    _started.set()
    # What was loaded lives as long as the process: the collector need not walk over 100,000 items again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def shutdown() -> None:
    """Close sockets with 1012, stop threads and close connections."""
    _been_ready.clear()
    _started.clear()
    await close_hub()
    await close_reader()
    close_outside()
    stop_workers()
    await asyncio.to_thread(shadow.stop)
    await asyncio.to_thread(explanations.stop)
    await asyncio.to_thread(outside_reports.stop)
    await asyncio.to_thread(quotas.stop)


def is_ready() -> bool:
    """Return whether the sites can be served: catalogues and placements are in memory.

    A site that is made later is loaded before its keys are known, and takes no process out of service meanwhile: all
    of them would leave at once.
    """
    loaded = [
        watch_site(site.slug).is_loaded and watch_placements(site.slug).is_loaded
        for site in (all_sites() if key_snapshot.is_loaded else ())
    ]
    if key_snapshot.is_loaded and all(loaded):
        _been_ready.set()
    return _been_ready.is_set()


def _load_new(sites: frozenset[str]) -> None:
    """Watch every site, and wait a moment for new ones: who has a key of it is answered with lists from then on."""
    snapshots = [snapshot for site in sites for snapshot in (watch_site(site), watch_placements(site))]
    if not _started.is_set():
        return
    give_up_at = time.monotonic() + NEW_SITE_S
    while not all(snapshot.is_loaded for snapshot in snapshots) and time.monotonic() < give_up_at:
        wait(0.01)


def _load_all() -> None:
    try:
        if not key_snapshot.is_loaded and not key_snapshot.refresh():
            return
        for site in all_sites():
            watch_placements(site.slug).refresh()
            watch_site(site.slug).refresh()
    finally:
        connection.close()  # of a thread that needs it this once
