"""Reads what the data-quality report of a site is made of; what cannot be read is left out of it."""

from __future__ import annotations

from typing import Final

import numpy as np

from features.catalogue.groups import group_of_items
from features.exceptions import StoreUnavailable
from features.models import Item
from features.quality.report import CatalogueUse, QualityReport, make_report
from features.store import connections
from features.store.item_stats import METRICS, WINDOWS, ItemStats, load_item_stats
from tracking.models import Site
from tracking.quality.clocks import read_clocks
from tracking.quality.reading import read_quality
from tracking.redis_client import UNAVAILABLE

MAX_EXAMPLES: Final = 10
_WINDOW: Final = "7d"
_EVENTS: Final = ("views", "carts", "purchases")


def gather_report(site: Site, *, now_ms: int) -> QualityReport:
    """Return the report of a site.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable: there is nothing to report of.
    """
    client = connections.client()
    try:
        read = read_quality(client, site.slug, now_ms=now_ms)
        wrong_clocks = read_clocks(client, now_ms=now_ms)
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"the counts of {site.slug} cannot be read: {error}") from error
    use = catalogue_use(load_item_stats(client, site.slug), known_ids=_item_ids(site), group_ids=_group_ids(site))
    return make_report(read, site=site.slug, currency=site.currency, catalogue=use, wrong_clocks=wrong_clocks)


def catalogue_use(
    stats: ItemStats, *, known_ids: frozenset[str], group_ids: frozenset[str] = frozenset()
) -> CatalogueUse:
    """Return how the items of the statistics and those of the catalogue agree; ids of groups are understood."""
    n_events = sum((stats.of(metric, _WINDOW) for metric in _EVENTS), start=_zeros(stats))
    rest = int(stats.rest[WINDOWS.index(_WINDOW), [METRICS.index(metric) for metric in _EVENTS]].sum())
    is_item = _is_in(known_ids, stats)
    is_known = is_item | _is_in(group_ids, stats)
    unknown = np.flatnonzero(~is_known & (n_events > 0))
    most = unknown[np.argsort(-n_events[unknown], kind="stable")][:MAX_EXAMPLES]
    return CatalogueUse(
        n_items=len(known_ids),
        n_seen=int(np.count_nonzero(is_item & (n_events > 0))),
        known=int(n_events[is_known].sum()),
        unknown=int(n_events[~is_known].sum()) + rest,
        not_told_apart=rest,
        unknown_examples=tuple((stats.item_ids[row], int(n_events[row])) for row in most),
    )


def _is_in(ids: frozenset[str], stats: ItemStats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.fromiter((item_id in ids for item_id in stats.item_ids), np.bool_, len(stats.item_ids))


def _zeros(stats: ItemStats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.zeros(len(stats.item_ids), np.int64)


def _group_ids(site: Site) -> frozenset[str]:
    return frozenset(group_of_items(site).values())


def _item_ids(site: Site) -> frozenset[str]:
    return frozenset(Item.objects.filter(site=site).values_list("item_id", flat=True).iterator(chunk_size=10_000))
