"""The report is read from the real Redis and the catalogue; without Redis it says so."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from django.test import override_settings

from features.exceptions import StoreUnavailable
from features.feeds import upsert_items
from features.quality.gathering import catalogue_use, gather_report
from features.store.item_stats import METRICS, WINDOWS, ItemStats
from tracking.models import Site


def stats(**views: int) -> ItemStats:
    found = np.zeros((len(views), len(WINDOWS), len(METRICS)), np.int64)
    found[:, WINDOWS.index("7d"), METRICS.index("views")] = list(views.values())
    return ItemStats(site="shop", made_at_ms=0, event_time_ms=0, item_ids=tuple(views), counts=found)


def test_items_of_events_are_told_from_those_of_the_catalogue() -> None:
    use = catalogue_use(stats(mug=5, pan=0, X1=2, X2=9), known_ids=frozenset({"mug", "pan", "tent"}))
    assert (use.n_items, use.n_seen, use.known, use.unknown) == (3, 1, 5, 11)
    assert use.unknown_examples == (("X2", 9), ("X1", 2))
    assert use.unknown_share == 11 / 16


def test_events_of_ids_that_are_not_told_apart_are_unknown_ones() -> None:
    rest = np.zeros((len(WINDOWS), len(METRICS)), np.int64)
    counted = {"views": 100, "carts": 20, "purchases": 3, "revenue": 999, "viewers": 50, "carters": 9, "buyers": 1}
    for name, n in counted.items():
        rest[WINDOWS.index("7d"), METRICS.index(name)] = n
    use = catalogue_use(replace(stats(mug=5, X1=2), rest=rest), known_ids=frozenset({"mug"}))
    assert (use.known, use.unknown, use.not_told_apart) == (5, 125, 123)


def test_the_id_of_a_group_of_items_is_not_unknown() -> None:
    use = catalogue_use(stats(mug=5, mugs=2, X1=1), known_ids=frozenset({"mug", "pan"}), group_ids=frozenset({"mugs"}))
    assert (use.n_items, use.n_seen, use.known, use.unknown) == (2, 1, 7, 1)


@pytest.mark.django_db
def test_without_redis_there_is_no_report() -> None:
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"), pytest.raises(StoreUnavailable, match="shop"):
        gather_report(site, now_ms=0)


@pytest.mark.redis
@pytest.mark.django_db
def test_a_new_site_has_an_empty_report(redis_url: str) -> None:
    site = Site.objects.create(slug=f"quality{time.monotonic_ns()}", name="Shop", currency="EUR")
    upsert_items(site, [{"item_id": "mug", "title": "Blue mug"}])
    with override_settings(REDIS_URL=redis_url):
        report = gather_report(site, now_ms=time.time_ns() // 1_000_000)
    assert report.events == ()
    assert report.catalogue is not None
    assert (report.catalogue.n_items, report.catalogue.unknown) == (1, 0)
