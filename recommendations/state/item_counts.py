"""How popular each item is, as the stream workers count it; read in the background every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from features.catalogue.snapshot import CatalogueSnapshot
from features.state.windows import FIRST_OF_VISITORS, REGULARS
from features.store import connections
from features.store.item_stats import METRICS, WINDOWS, ItemStats, empty_item_stats, load_item_stats
from recommendations.core.types import FloatArray
from recommendations.models import TrainingPolicy
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

REFRESH_S: Final = 10.0
WEIGHTS: Final = {"viewers": 1.0, "carters": 3.0, "buyers": 5.0}
"""A purchase says more than a view, and is rarer; all count in one popularity, each user once a day and item."""

OWN_SHARE: Final = 1e-3


def watch_item_counts(site: str) -> Snapshot[ItemStats]:
    """Return the site's counts, kept fresh in the background from the first call on."""
    return _counts.of(site)


def watch_counting(site: str) -> Snapshot[bool]:
    """Return whether the site counts products in place of variants, kept up to date from the first call on."""
    return _counting.of(site)


def counts_by_row(
    stats: ItemStats, catalogue: CatalogueSnapshot, *, counts_products: bool = False
) -> dict[str, FloatArray]:
    """Return weighted visitors by window, one entry a row of the catalogue.

    What was counted under the id of a group counts for each of its variants.

    Parameters
    ----------
    counts_products : bool
        Whether each variant has the count of its whole product, and a thousandth of its own share above: of variants
        of one product the most popular one still leads.
    """
    rows = catalogue.rows(stats.item_ids)
    known = rows >= 0
    products = catalogue.products
    of_groups = _products_named(stats.item_ids, catalogue)
    known[list(of_groups)] = False
    weights = np.array([WEIGHTS[metric] for metric in METRICS[FIRST_OF_VISITORS:REGULARS]])
    arrays = {}
    for window in WINDOWS:
        counted = stats.plausible_visitors(window) @ weights
        own = np.zeros(catalogue.n_rows)
        own[rows[known]] = counted[known]
        of_product = np.bincount(products.of_row, weights=own, minlength=len(own)) if counts_products else None
        if of_product is not None:
            own = of_product[products.of_row] + OWN_SHARE * own
        for position, product in of_groups.items():
            own[products.variants(product)] += counted[position]
        arrays[window] = own.astype(np.float32)
    return arrays


def _products_named(item_ids: Sequence[str], catalogue: CatalogueSnapshot) -> dict[int, int]:
    """Return the product of each position that holds the id of a group, which may be that of its parent, too."""
    groups = frozenset(catalogue.groups.names)
    return {
        position: product
        for position, item_id in enumerate(item_ids)
        if item_id in groups and (product := catalogue.product_of_group(item_id)) is not None
    }


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


def _counts_products(site: str) -> bool:
    return TrainingPolicy.objects.filter(site__slug=site, counts_products=True).exists()


_counting: Final = SiteSnapshots("counting", lambda site: partial(_counts_products, site), refresh_s=REFRESH_S)
_counts: Final = SiteSnapshots("item-counts", lambda site: _Loader(site).load, refresh_s=REFRESH_S)
