"""Counts of the stream as popularity by row: a purchase says more than a view, unknown items nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.store.item_stats import METRICS, WINDOWS, ItemStats
from recommendations.state.item_counts import WEIGHTS, counts_by_row, watch_item_counts
from tests.recommendations.conftest import Shop
from tests.recommendations.worlds import catalogue


def stats(counts: dict[str, dict[str, int]], *, window: str) -> ItemStats:
    """Return counts by item and metric in one window, nothing in the others."""
    array = np.zeros((len(counts), len(WINDOWS), len(METRICS)), np.int64)
    for row, values in enumerate(counts.values()):
        for metric, value in values.items():
            array[row, WINDOWS.index(window), METRICS.index(metric)] = value
    return ItemStats(site="shop", made_at_ms=0, event_time_ms=0, item_ids=tuple(counts), counts=array)


def test_interactions_count_by_their_weight_in_their_window() -> None:
    shop = catalogue(n=3)
    found = counts_by_row(
        stats({"sku1": {"views": 7, "carts": 2, "purchases": 1}, "sku2": {"views": 1}}, window="24h"), shop
    )

    assert set(found) == set(WINDOWS)
    by_id = {f"sku{number}": float(found["24h"][shop.row(f"sku{number}")]) for number in range(3)}
    assert by_id == {"sku0": 0, "sku1": 7 + 2 * WEIGHTS["carts"] + WEIGHTS["purchases"], "sku2": 1}
    assert not found["1h"].any()


def test_items_that_the_catalogue_lost_and_money_count_nothing() -> None:
    found = counts_by_row(stats({"gone": {"views": 9}, "sku0": {"revenue": 9}}, window="7d"), catalogue(n=2))

    assert not found["7d"].any()


@pytest.mark.redis
def test_a_site_without_counts_has_none_and_reading_them_again_gives_the_same_object(shop: Shop) -> None:
    snapshot: Any = watch_item_counts(shop.site.slug)
    snapshot.reload()
    first = snapshot.current()
    snapshot.reload()

    assert first.item_ids == ()
    assert snapshot.current() is first, "an equal object would have the item index rebuilt"
