"""Which items and placements a site has, in the stream worker's memory; ids alone, without their catalogue.

The first load reads every id, each further one only what changed since. A deleted item stays known until the worker
starts again: its events are still events of an item that there was.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from typing import Final

from features.catalogue.site import REFRESH_S
from features.state.counting.unknown import SiteKeys
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import SnapshotMissing

OVERLAP: Final = timedelta(minutes=20)
"""How far behind the last look we look again, for transactions that were open for so long."""

PlacementNames = Callable[[str, bool], Container[str]]
"""From a site, and whether to load them now, to the names of its placements."""


def _no_names(site: str, loads: bool) -> Container[str]:
    return ()


_placement_names: PlacementNames = _no_names


def use_placement_names(read: PlacementNames) -> None:
    """Set what knows the placements of a site; it raises ``SnapshotMissing`` where it does not and shall not load."""
    global _placement_names
    _placement_names = read


def keys_of_site(site: str) -> SiteKeys | None:
    """Return what the site knows; never blocks. ``None`` until it was loaded: then everything is counted."""
    try:
        items = _known.of(site).current()
        return _keys(items, _placement_names(site, False))
    except SnapshotMissing:
        return None


def loaded_keys_of_site(site: str) -> SiteKeys:
    """Return what the site knows, and load it in this thread the first time; for commands."""
    items = _known.of(site).ensure_loaded()
    return _keys(items, _placement_names(site, True))


def _keys(items: KnownItems, placements: Container[str]) -> SiteKeys:
    return SiteKeys(items=items.ids, n_items=items.n_items, placements=placements, margins=items.margins)


class KnownItems:
    """The ids of one site's items and of their groups; only ``load`` changes it, and only by adding."""

    def __init__(self, site: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.ids: set[str] = set()
        self.n_items = 0
        self.margins: dict[str, float] = {}
        self._site = site
        self._clock = clock
        self._looked_at: datetime | None = None

    def load(self) -> KnownItems:
        """Read what is new; one query."""
        from features.models import Item  # models are not ready while apps are imported

        looks_at = self._clock()
        items = Item.objects.filter(site__slug=self._site).order_by()
        if self._looked_at is not None:
            items = items.filter(updated_at__gte=self._looked_at - OVERLAP)
        fields = ("item_id", "group_id", "cost_minor", "price_minor", "sale_price_minor")
        for item_id, group_id, cost, price, sale_price in items.values_list(*fields).iterator(chunk_size=2_000):
            paid = sale_price or price
            if cost is not None and paid:
                self.margins[item_id] = 1.0 - cost / paid
            if item_id not in self.ids:
                self.n_items += 1
                self.ids.add(item_id)
            if group_id and group_id not in self.ids:
                self.ids.add(group_id)
        self._looked_at = looks_at
        return self


_known: Final = SiteSnapshots("catalogue", lambda site: KnownItems(site).load, refresh_s=REFRESH_S)
