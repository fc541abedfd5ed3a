"""Whoever makes ids up fills neither Redis nor the merge, and takes nothing from an item that is late in the feed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from django.test import override_settings

from features import keys
from features.catalogue.known import loaded_keys_of_site
from features.feeds import upsert_items
from features.state import windows
from features.state.counting.unknown import MIN_UNKNOWN_ITEMS, UNKNOWN_LISTS, SiteKeys
from features.store.item_stats import ItemStatsMerger, load_item_stats
from features.store.placement_stats import OTHER_LISTS, read_placement_stats
from features.stream.worker import make_stream_worker
from tests.features.conftest import PARTITIONS, World
from tests.features.making import LATENESS_MS, SITE, event, record, wire
from tracking.models import Site
from tracking.snapshots import by_site

pytestmark = [pytest.mark.redis, pytest.mark.slow]
Worlds = Callable[..., World]
NOW_MS = time.time_ns() // 1_000_000 - 2 * 3_600_000
"""The log's own clock bounds the watermarks, and windows end at these."""
MADE_UP = 6_000
VISITORS = 40
DAYS = 1 + (NOW_MS // 86_400_000 != (NOW_MS + 30 * 60_000) // 86_400_000)
"""Of the visits, half an hour apart: each user is a visitor once a UTC day."""


def merged(world: World) -> ItemStatsMerger:
    merger = ItemStatsMerger(world.client, partitions=PARTITIONS, log_name=world.log_name, lateness_ms=LATENESS_MS)
    merger.merge()
    return merger


def flood(rng: random.Random) -> list[tuple[bytes, bytes]]:
    """Return the records of one caller under many names, each of whom looks at many items that are nowhere."""
    names = [f"{rng.getrandbits(64):016x}" for _ in range(MADE_UP)]
    return [
        wire(
            record(
                event("view_item", at_ms=NOW_MS, items=names[start : start + 200]), anonymous_id=f"flooder-{start:012}"
            )
        )
        for start in range(0, MADE_UP, 200)
    ]


def visits(item_id: str, *, at_ms: int = NOW_MS) -> list[tuple[bytes, bytes]]:
    return [
        wire(record(event("view_item", at_ms=at_ms, items=[item_id]), anonymous_id=f"visitor-{number:012}"))
        for number in range(VISITORS)
    ]


def test_an_item_that_arrives_after_its_first_views_has_all_of_them(worlds: Worlds) -> None:
    world = worlds("memory")
    shop = {SITE: SiteKeys(items={"mug"}, n_items=1, placements=())}
    worker = world.worker(keys_of_site=shop.get)
    world.fill([*visits("new"), *visits("mug")])
    world.drain(worker)
    shop[SITE] = SiteKeys(items={"mug", "new"}, n_items=2, placements=())
    world.fill(visits("new", at_ms=NOW_MS + 30 * 60_000))
    world.drain(worker)
    worker.close()
    merged(world)

    stats = load_item_stats(world.client, SITE)
    assert (stats.count("new", "views", "7d"), stats.count("new", "viewers", "7d")) == (2 * VISITORS, DAYS * VISITORS)
    assert (stats.count("new", "views", "1h"), stats.count("mug", "views", "7d")) == (2 * VISITORS, VISITORS)
    assert stats.count("new", "views", "5m") == VISITORS


def test_a_flood_of_made_up_ids_is_bounded_summed_up_and_takes_nothing_from_a_new_item(worlds: Worlds) -> None:
    world, rng = worlds("memory"), random.Random(5)
    shop = SiteKeys(items={"mug"}, n_items=1, placements=())
    records = flood(rng) + visits("mug")
    worker = world.worker(keys_of_site=lambda site: shop)
    world.fill(visits("new"))
    world.drain(worker)
    rng.shuffle(records)
    world.fill(records)
    world.drain(worker)
    world.fill(visits("new", at_ms=NOW_MS + 60_000))
    world.drain(worker)
    worker.close()
    merged(world)

    stats = load_item_stats(world.client, SITE)
    assert stats.count("mug", "views", "7d") == VISITORS
    assert stats.count("new", "views", "7d") == 2 * VISITORS
    assert len(stats.item_ids) <= MIN_UNKNOWN_ITEMS + 1
    total = stats.of("views", "7d").sum() + stats.rest[-1, windows.VIEWS]
    assert total == MADE_UP + 3 * VISITORS
    for partition in range(PARTITIONS):
        for width_s in windows.WIDTHS_S:
            key = keys.unknown_pane(partition, SITE, width_s, NOW_MS // 1_000 // width_s)
            assert world.client.hlen(key) <= MIN_UNKNOWN_ITEMS + 1


def test_lists_that_are_no_placements_are_bounded_and_summed_up(worlds: Worlds) -> None:
    world = worlds("memory")
    shop = SiteKeys(items={"mug"}, n_items=1, placements={"home"})
    names = ["home", *(f"list-{number}" for number in range(1_000))]
    world.fill(
        [
            wire(
                record(
                    *(
                        event("view_item_list", at_ms=NOW_MS, items=["mug"], item_list_id=one)
                        for one in names[start:][:50]
                    ),
                    anonymous_id=f"somebody-{start:012}",
                )
            )
            for start in range(0, len(names), 50)
        ]
    )
    worker = world.worker(keys_of_site=lambda site: shop)
    world.drain(worker)
    worker.close()

    found = read_placement_stats(world.client, SITE, day=NOW_MS // 86_400_000, partitions=PARTITIONS)
    lists = {one.placement: one.lists for one in found}
    assert lists["home"] == 1
    assert sum(lists.values()) == len(names)
    assert UNKNOWN_LISTS < len(lists) <= PARTITIONS * UNKNOWN_LISTS + 2
    assert lists[OTHER_LISTS] >= len(names) - 1 - PARTITIONS * UNKNOWN_LISTS


@pytest.mark.django_db
def test_the_worker_of_an_installation_knows_the_catalogue(worlds: Worlds) -> None:
    world = worlds("memory")
    upsert_items(Site.objects.create(slug=SITE, name="Shop"), [{"item_id": "mug", "title": "Mug"}])
    loaded_keys_of_site(SITE)
    world.fill([wire(record(event("view_item", at_ms=NOW_MS, items=["mug", "made-up"])))])
    with override_settings(EVENT_LOG_URL=world.log_url, REDIS_URL=world.redis_url):
        worker = make_stream_worker()
        world.drain(worker)
        worker.close()
    by_site.close_all()

    found: dict[str, set[bytes]] = {name: set() for name in ("items", "unknown-items")}
    for name, ids in found.items():
        for key in world.client.scan_iter(f"rs:*:{SITE}:{name}:*"):
            ids.update(world.client.hkeys(key))
    assert found == {"items": {b"mug"}, "unknown-items": {b"made-up"}}
