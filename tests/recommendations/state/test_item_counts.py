"""Counts of the stream as popularity by row: a purchase says more than a view, unknown items nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.store.item_stats import METRICS, WINDOWS, ItemStats
from recommendations.models import TrainingPolicy
from recommendations.state.item_counts import WEIGHTS, counts_by_row, watch_counting, watch_item_counts
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
        stats({"sku1": {"viewers": 7, "carters": 2, "buyers": 1}, "sku2": {"viewers": 1}}, window="24h"), shop
    )

    assert set(found) == set(WINDOWS)
    by_id = {f"sku{number}": float(found["24h"][shop.row(f"sku{number}")]) for number in range(3)}
    assert by_id == {"sku0": 0, "sku1": 7 + 2 * WEIGHTS["carters"] + WEIGHTS["buyers"], "sku2": 1}
    assert not found["1h"].any()


def test_items_that_the_catalogue_lost_and_money_count_nothing() -> None:
    found = counts_by_row(stats({"gone": {"viewers": 9}, "sku0": {"revenue": 9}}, window="7d"), catalogue(n=2))

    assert not found["7d"].any()


SIZES = catalogue({"group_id": "tee"}, {"group_id": "tee"}, {}, {"item_id": "cup"}, {"group_id": "cup"})
SEEN = stats({"sku0": {"viewers": 6}, "sku1": {"viewers": 3}, "sku2": {"viewers": 8}}, window="24h")


def test_a_site_that_counts_products_has_the_sum_of_its_variants_for_each_of_them() -> None:
    found = counts_by_row(SEEN, SIZES, counts_products=True)["24h"]

    assert np.round(found).tolist() == [9, 9, 8, 0, 0]
    assert found[0] > found[1] > found[2], "of variants of one product the most popular one still leads"
    assert counts_by_row(SEEN, SIZES)["24h"].tolist() == [6, 3, 8, 0, 0]


@pytest.mark.parametrize("counts_products", [True, False])
def test_what_was_looked_at_under_the_id_of_a_product_counts_for_each_variant(counts_products: bool) -> None:
    seen = stats({"tee": {"viewers": 4}, "cup": {"viewers": 7}, "sku2": {"viewers": 5}}, window="24h")

    assert counts_by_row(seen, SIZES, counts_products=counts_products)["24h"].round().tolist() == [4, 4, 5, 7, 7]


@pytest.mark.redis
def test_what_a_site_counts_is_a_choice_of_its_policy(shop: Shop) -> None:
    assert watch_counting(shop.site.slug).reload() is False

    TrainingPolicy.objects.create(site=shop.site, counts_products=True)

    assert watch_counting(shop.site.slug).reload() is True


@pytest.mark.redis
def test_a_site_without_counts_has_none_and_reading_them_again_gives_the_same_object(shop: Shop) -> None:
    snapshot: Any = watch_item_counts(shop.site.slug)
    snapshot.reload()
    first = snapshot.current()
    snapshot.reload()

    assert first.item_ids == ()
    assert snapshot.current() is first, "an equal object would have the item index rebuilt"
