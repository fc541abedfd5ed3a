"""How popular each item is, as the stream workers count it; read in the background every few seconds."""

from __future__ import annotations

from typing import Final

import numpy as np

from features.catalogue.snapshot import CatalogueSnapshot
from features.store import connections
from features.store.item_stats import METRICS, WINDOWS, ItemStats, empty_item_stats, load_item_stats
from recommendations.core.types import FloatArray
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

REFRESH_S: Final = 10.0
WEIGHTS: Final = {"views": 1.0, "carts": 3.0, "purchases": 5.0}
"""A purchase says more than a view, and is rarer; all count in one popularity."""


def watch_item_counts(site: str) -> Snapshot[ItemStats]:
    """Return the site's counts, kept fresh in the background from the first call on."""
    return _counts.of(site)


def counts_by_row(stats: ItemStats, catalogue: CatalogueSnapshot) -> dict[str, FloatArray]:
    """Return weighted interactions by window, one entry a row of the catalogue."""
    rows = catalogue.rows(stats.item_ids)
    known = rows >= 0
    weights = np.array([WEIGHTS.get(metric, 0.0) for metric in METRICS])
    arrays = {}
    for number, window in enumerate(WINDOWS):
        values = np.zeros(catalogue.n_rows, np.float32)
        values[rows[known]] = (stats.counts[known, number, :] @ weights).astype(np.float32)
        arrays[window] = values
    return arrays


class _Loader:
    """Returns the very same object while the merge wrote nothing new, so that no item index is rebuilt for nothing."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._held = empty_item_stats(site)

    def load(self) -> ItemStats:
        found = load_item_stats(connections.client(), self._site)
        same = np.array_equal(found.counts, self._held.counts) and found.item_ids == self._held.item_ids
        if not same:
            self._held = found
        return self._held


_counts: Final = SiteSnapshots("item-counts", lambda site: _Loader(site).load, refresh_s=REFRESH_S)
