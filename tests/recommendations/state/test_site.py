from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features import keys
from features.catalogue.site import watch_catalogue
from features.state.windows import FIRST_OF_VISITORS
from features.store.item_stats import METRICS, WINDOWS, StatsBlob
from recommendations.filters import language
from recommendations.items.index import ItemIndex
from recommendations.state import item_counts
from tests.recommendations.worlds import catalogue, item_row
from tracking.redis_client import connect


def count_views(shop, **views):
    counts = np.zeros((len(views), len(WINDOWS), len(METRICS)), np.int64)
    counts[:, :, METRICS.index("views")] = np.array(list(views.values()))[:, None]
    stored = counts[:, :, :FIRST_OF_VISITORS].tobytes()
    blob = StatsBlob(made_at_ms=1, event_time_ms=1, item_ids=list(views), counts=stored)
    with connect(shop.redis_url, timeout_s=2) as client:
        client.set(keys.item_stats(shop.site.slug), msgspec.msgpack.encode(blob), ex=600)
    item_counts.watch_item_counts(shop.site.slug).reload()


@pytest.fixture
def stocked(shop):
    for number in range(5):
        shop.add(f"i{number}")
    return shop


def popular(state):
    return [state.serving.item_index.item_id(row) for row in state.serving.item_index.popular.tolist()]


def test_new_counts_move_popular_lists_and_leave_kept_lists_alone(stocked):
    before = stocked.load()
    count_views(stocked, i3=9, i1=5)

    after = stocked.load()

    assert popular(after)[:2] == ["i3", "i1"]
    assert popular(before)[:2] != ["i3", "i1"]
    assert after.serving.number == before.serving.number


def test_a_change_of_the_catalogue_drops_kept_lists(stocked):
    before = stocked.load()
    stocked.items["i2"].stock = 0
    stocked.items["i2"].save()
    watch_catalogue(stocked.site.slug).reload()

    after = stocked.load()

    assert after.serving.number == before.serving.number + 1


def test_masks_outlive_counts_but_those_that_go_by_the_clock_do_not():
    day_ms = 86_400_000
    items = catalogue(item_row(1, first_seen_us=0), item_row(2, first_seen_us=9 * day_ms * 1000))
    cheap, young = language.parse("price >= 0"), language.parse("age_days < 5")
    old = ItemIndex(items, now_ms=10 * day_ms)
    kept, before = old.mask("cheap", cheap), old.mask("young", young)

    new = ItemIndex(items, now_ms=20 * day_ms)
    new.warm_from(old)

    assert new.mask("cheap", cheap) is kept
    assert before.tolist() == [False, True]
    assert new.mask("young", young).tolist() == [False, False]


def test_masks_of_another_catalogue_are_made_again():
    condition = language.parse("stock > 0")
    old = ItemIndex(catalogue(item_row(1, stock=3)))
    assert old.mask("key", condition).tolist() == [True]

    new = ItemIndex(catalogue(item_row(1, stock=0)))
    new.warm_from(old)

    assert new.mask("key", condition).tolist() == [False]
