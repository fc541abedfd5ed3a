"""Each site's catalogue in memory: ``catalogue_of(site)`` returns the newest snapshot without asking the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from features.catalogue.snapshot import CatalogueSnapshot
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

REFRESH_S: Final = 5.0


def _loader(site: str) -> Callable[[], CatalogueSnapshot]:
    from features.catalogue.loading import CatalogueLoader  # models are not ready while apps are imported

    return CatalogueLoader(site).load


_catalogues: Final = SiteSnapshots("catalogue", _loader, refresh_s=REFRESH_S)


def watch_catalogue(site: str) -> Snapshot[CatalogueSnapshot]:
    """Return the site's snapshot, kept fresh in the background from the first call on."""
    return _catalogues.of(site)


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
    _catalogues.announce(site)
