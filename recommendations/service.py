"""What a web process starts and stops for serving; called by ASGI's lifespan, else by the first request."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Final

from django.conf import settings
from django.db import connection

from recommendations.lists import stop_workers
from recommendations.live_hub import close_hub
from recommendations.placements import watch_placements
from recommendations.serving_site import watch_site
from recommendations.shadow import runner as shadow
from recommendations.shoppers import close_reader
from tracking import snapshots
from tracking.quotas import Quotas
from tracking.sites import all_sites
from tracking.sites import keys as key_snapshot

logger = logging.getLogger(__name__)

quotas: Final = Quotas()


async def startup() -> None:
    """Load every site's catalogue, placements and models; returns also when parts are away."""
    snapshots.start()
    quotas.start(settings.REDIS_URL)
    await asyncio.to_thread(_load_all)
    # What was loaded lives as long as the process: the collector need not walk over 100,000 items again and again.
    gc.collect()
    gc.freeze()


async def shutdown() -> None:
    """Close sockets with 1012, stop threads and close connections."""
    await close_hub()
    await close_reader()
    stop_workers()
    await asyncio.to_thread(shadow.stop)
    await asyncio.to_thread(quotas.stop)


def is_ready() -> bool:
    """Return whether every active site can be served: its catalogue and placements are in memory."""
    return key_snapshot.is_loaded and all(
        watch_site(site.slug).is_loaded and watch_placements(site.slug).is_loaded for site in all_sites()
    )


def _load_all() -> None:
    try:
        if not key_snapshot.is_loaded and not key_snapshot.refresh():
            return
        for site in all_sites():
            watch_placements(site.slug).refresh()
            watch_site(site.slug).refresh()
    finally:
        connection.close()  # of a thread that needs it this once
