"""Each site's catalogue in memory: ``catalogue_of(site)`` returns the newest snapshot without asking the database."""

from __future__ import annotations

import threading
from typing import Final

from features.catalogue.snapshot import CatalogueSnapshot
from tracking.snapshots.snapshot import Snapshot, announce

REFRESH_S: Final = 5.0
LANE: Final = "catalogue"
_snapshots: dict[str, Snapshot[CatalogueSnapshot]] = {}
_lock = threading.Lock()


def catalogue_topic(site: str) -> str:
    """Return the topic that is announced when an item of the site changed."""
    return f"catalogue:{site}"


def watch_catalogue(site: str) -> Snapshot[CatalogueSnapshot]:
    """Return the site's snapshot, kept fresh in the background from the first call on."""
    found = _snapshots.get(site)
    if found is not None:
        return found
    from features.catalogue.loading import CatalogueLoader  # models are not ready while apps are imported

    with _lock:
        if site not in _snapshots:
            loader = CatalogueLoader(site)
            _snapshots[site] = Snapshot(catalogue_topic(site), loader.load, refresh_s=REFRESH_S, lane=LANE)
        return _snapshots[site]


def catalogue_of(site: str) -> CatalogueSnapshot:
    """Return the catalogue in memory; never touches the database.

    Raises
    ------
    SnapshotMissing
        It has not been loaded yet; ``watch_catalogue(site).ensure_loaded()`` loads it in the caller's thread.
    """
    return watch_catalogue(site).current()


def announce_catalogue(site: str) -> None:
    """Tell every process, once the transaction is committed, that items of the site changed."""
    announce(catalogue_topic(site))


def forget_catalogues() -> None:
    """Drop every snapshot of this process; for tests, and after a site was deleted."""
    with _lock:
        for snapshot in _snapshots.values():
            snapshot.close()
        _snapshots.clear()
