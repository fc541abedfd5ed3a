"""Item counts of all partitions, merged: every metric of every window adds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import keys
from features.definitions import ITEM_WINDOWS
from features.state import progress
from features.state.watermarks import clock_name
from features.state.windows import FIRST_OF_VISITORS, METRICS, REGULARS, first_pane
from features.store.item_stats import (
    MAX_LIFT,
    WINDOWS,
    WITHOUT_REGULARS,
    WITHOUT_VIEWERS,
    ItemStats,
    ItemStatsMerger,
    empty_item_stats,
    load_item_stats,
)
from tests.features.conftest import PARTITIONS, World
from tests.features.making import LATENESS_MS, NOW_MS, SITE

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]
encode = msgspec.msgpack.encode
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


def test_an_item_has_as_many_visitors_as_its_networks_allow(worlds: Worlds) -> None:
    world = worlds("memory")
    world.client.set(
        keys.progress(0, world.log_name),
        progress.encode(progress.Progress(watermarks={clock_name(SITE, "browser"): NOW_MS})),
    )
    made = {"pushed": [[600, 0, 0, 0, 600, 600, 600, 0, 7]], "liked": [[9, 0, 0, 0, 9, 3, 1, 2, *range(1, 9)]]}
    for item_id, blobs in made.items():
        for partition in range(PARTITIONS):  # of one network, whichever partitions its ids fall into
            world.client.hset(keys.item_pane(partition, SITE, 3_600, NOW_MS // 3_600_000), item_id, encode(blobs[0]))
    old = [5, 0, 0, 0, 5, 0, 0]
    for blob, partition in ((old, 0), ([600, 0, 0, 0, 600, 0, 0, 0, 7], 1)):  # one pane of an older version
        world.client.hset(keys.item_pane(partition, SITE, 3_600, NOW_MS // 3_600_000), "older", encode(blob))

    merger_of(world).merge()

    stats = load_item_stats(world.client, SITE)
    assert [stats.count("pushed", name, "24h") for name in ("views", "viewers", "carters", "buyers")] == [
        600 * PARTITIONS, 3, 3, 3,
    ]  # fmt: skip
    assert stats.count("liked", "viewers", "24h") == min(9 * PARTITIONS, 14)
    assert stats.count("older", "viewers", "24h") == 605


def test_who_is_one_too_many_in_the_day_is_so_in_the_week(worlds: Worlds) -> None:
    """A network that sends on both sides of a midnight stands twice behind the week, once behind the day."""
    world = worlds("memory")
    world.client.set(
        keys.progress(0, world.log_name),
        progress.encode(progress.Progress(watermarks={clock_name(SITE, "browser"): NOW_MS})),
    )
    behind = {3_600: ([*range(1, 91)], [*range(1, 91)]), 21_600: ([*range(1, 91)], [*range(101, 191)])}
    for width_s, samples in behind.items():
        for ago, sample in enumerate(samples):
            pane = NOW_MS // (width_s * 1_000) - ago
            world.client.hset(
                keys.item_pane(0, SITE, width_s, pane), "pushed", encode([150, 0, 0, 0, 150, 0, 0, 0, *sample])
            )
    for ago in (2, 3):  # what was looked at days ago stays
        pane = NOW_MS // 21_600_000 - 4 * ago
        world.client.hset(
            keys.item_pane(0, SITE, 21_600, pane), "pushed", encode([9, 0, 0, 0, 9, 0, 0, 0, *range(200, 209)])
        )

    merger_of(world).merge()

    stats = load_item_stats(world.client, SITE)
    assert [stats.count("pushed", "viewers", window) for window in ("24h", "7d")] == [137, 137 + 18]


def test_statistics_without_regulars_take_everybody_for_one(worlds: Worlds) -> None:
    world = worlds("memory")
    counts, visitors = np.ones((1, len(WINDOWS), 4), np.int64), np.full((1, len(WINDOWS), 3), 9, np.int32)
    world.client.set(
        keys.item_stats(SITE), encode([1, NOW_MS, NOW_MS, ["a"], counts.tobytes(), visitors.tobytes(), b""])
    )

    assert load_item_stats(world.client, SITE).of("regulars", "1h").tolist() == [9]


def test_ids_of_today_lead_no_list_where_others_have_a_past() -> None:
    usual = [(20, 2, 1, 8)] * 100
    stats = visited(*(one[:3] for one in [*usual, (100, 100, 100)]), regulars=[*(one[3] for one in usual), 0])
    stats.counts[:, WINDOWS.index("24h") :] *= 24

    assert stats.plausible_visitors("1h")[-1, 0] == WITHOUT_REGULARS
    stats.counts[0, WINDOWS.index("1h"), [FIRST_OF_VISITORS, REGULARS]] = 30, 12
    assert stats.trending() == ["i0", "i100"]
    assert "i100" not in stats.popular(window="1h", limit=20)


def test_in_its_first_days_a_shop_has_no_regulars_to_go_by() -> None:
    stats = visited((30, 3, 1), (60, 6, 2), regulars=[0, 40])

    assert stats.plausible_visitors("24h")[:, 0].tolist() == [30, 60]


def visited(*visitors: tuple[int, int, int], regulars: Sequence[int] = ()) -> ItemStats:
    counts = np.zeros((len(visitors), len(WINDOWS), len(METRICS)), np.int64)
    counts[:, :, FIRST_OF_VISITORS:REGULARS] = np.array(visitors)[:, None, :]
    counts[:, :, REGULARS] = np.array(regulars or [0] * len(visitors))[:, None]
    names = tuple(f"i{number}" for number in range(len(visitors)))
    return ItemStats(site=SITE, made_at_ms=1, event_time_ms=1, item_ids=names, counts=counts)


def test_names_that_look_buy_and_do_nothing_else_weigh_little_more_than_views() -> None:
    usual = [(300, 30, 9)] * 100
    stats = visited(*usual, (110, 110, 110))

    assert stats.popular(window="24h", limit=100) == [f"i{number}" for number in range(100)]
    carters, buyers = stats.plausible_visitors("24h")[-1, 1:]
    assert carters < 60
    assert buyers < 30


def test_where_nobody_is_seen_to_look_all_buyers_count() -> None:
    assert visited((0, 0, 500), (0, 3, 20)).plausible_visitors("7d").tolist() == [[0, 0, 500], [0, 3, 20]]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30))
def test_plausible_visitors_are_those_counted_or_the_bound(visitors: list[tuple[int, int, int]]) -> None:
    stats = visited(*visitors) if visitors else empty_item_stats(SITE)
    found = stats.plausible_visitors("7d")

    assert found.shape == (len(visitors), 3)
    totals = np.sum(visitors, axis=0) if visitors else np.zeros(3)
    for (viewers, *others), plausible in zip(visitors, found.tolist(), strict=True):
        assert plausible[0] == viewers
        for counted, kept, total in zip(others, plausible[1:], totals[1:], strict=True):
            bound = MAX_LIFT * total / totals[0] * viewers + WITHOUT_VIEWERS if totals[0] else counted
            assert kept == pytest.approx(min(counted, bound))
