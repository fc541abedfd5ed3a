"""The newest content table of each site, as memory maps; opened in the background when a new one is announced."""

from __future__ import annotations

from typing import Final

from recommendations.core.content_table import ContentTable
from recommendations.versions.content import CONTENT_TOPIC, newest_folder, read_table
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

REFRESH_S: Final = 10.0


def watch_content(site: str) -> Snapshot[ContentTable | None]:
    """Return the site's table, kept fresh in the background from the first call on; None before there is one."""
    return _tables.of(site)


class ContentLoader:
    """Keeps one site's table open; not thread-safe, one thread calls ``load``."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._held: ContentTable | None = None

    def load(self) -> ContentTable | None:
        """Return the newest table; the very same object while there is no newer one that can be read."""
        folder = newest_folder(self._site)
        if folder is not None and (self._held is None or folder.name != self._held.version):
            self._held = read_table(folder) or self._held
        return self._held


_tables: Final = SiteSnapshots(CONTENT_TOPIC, lambda site: ContentLoader(site).load, refresh_s=REFRESH_S)
