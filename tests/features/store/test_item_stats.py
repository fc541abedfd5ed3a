"""Item counts of all partitions, merged: every metric of every window adds up."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from features import keys
from features.definitions import ITEM_WINDOWS
from features.state import progress
from features.state.watermarks import clock_name
from features.state.windows import METRICS, first_pane
from features.store.item_stats import WINDOWS, ItemStatsMerger, empty_item_stats, load_item_stats
from tests.features.conftest import PARTITIONS, World
from tests.features.making import LATENESS_MS, NOW_MS, SITE

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]
AMOUNTS = [10**number for number in range(len(METRICS))]


def merger_of(world: World) -> ItemStatsMerger:
    return ItemStatsMerger(world.client, partitions=PARTITIONS, log_name=world.log_name, lateness_ms=LATENESS_MS)


def put(world: World, *, width_s: int, pane: int) -> None:
    """Count ``AMOUNTS`` of an item in one pane of every partition."""
    for partition in range(PARTITIONS):
        world.client.hset(keys.item_pane(partition, SITE, width_s, pane), "a", msgspec.msgpack.encode(AMOUNTS))


def test_every_metric_of_every_window_adds_up_over_partitions_and_panes(worlds: Worlds) -> None:
    world = worlds("memory")
    now = progress.Progress(watermarks={clock_name(SITE, "browser"): NOW_MS})
    world.client.set(keys.progress(0, world.log_name), progress.encode(now))
    for _, width_s, _ in ITEM_WINDOWS:
        newest = NOW_MS // (width_s * 1_000)
        put(world, width_s=width_s, pane=newest)
        put(world, width_s=width_s, pane=first_pane(width_s, now_ms=NOW_MS))  # closed, or still open
        put(world, width_s=width_s, pane=first_pane(width_s, now_ms=NOW_MS) - 1)  # no window reaches it
    merger = merger_of(world)

    for _ in range(2):  # the second time, closed panes come from memory
        assert merger.merge() == {SITE: 1}
        stats = load_item_stats(world.client, SITE)
        for window, _, _ in ITEM_WINDOWS:
            found = [stats.count("a", metric, window) for metric in METRICS]
            assert found == [2 * PARTITIONS * amount for amount in AMOUNTS], window
    assert stats.event_time_ms == NOW_MS
    assert stats.count("nobody", "views", "7d") == 0


def test_a_site_without_events_has_no_items(worlds: Worlds) -> None:
    stats = load_item_stats(worlds("memory").client, "nobody")

    assert stats.item_ids == empty_item_stats("nobody").item_ids == ()
    assert stats.popular() == []


def test_statistics_that_an_older_version_merged_are_read_with_a_visitor_an_event(worlds: Worlds) -> None:
    world = worlds("memory")
    counts = np.arange(2 * len(WINDOWS) * 4, dtype=np.int64).reshape(2, len(WINDOWS), 4)
    old = [1, NOW_MS, NOW_MS, ["a", "b"], counts.tobytes()]
    world.client.set(keys.item_stats(SITE), msgspec.msgpack.encode(old))

    stats = load_item_stats(world.client, SITE)

    assert stats.of("revenue", "7d").tolist() == counts[:, 3, 3].tolist()
    assert stats.of("buyers", "7d").tolist() == stats.of("purchases", "7d").tolist() == counts[:, 3, 2].tolist()
