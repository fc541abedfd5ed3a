"""After a source is forgotten, states, counts and archive are those of a world in which it never came."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from features.archive.maintenance import read_table
from features.archive.writer import ArchiveFolder
from features.models import StoredProfile
from features.money import in_euros
from features.state.counting.unknown import SiteKeys
from features.store.item_stats import ItemStatsMerger, load_item_stats
from features.stream.sources import take_back as module
from features.stream.sources.past import UserPast, pasts
from features.stream.sources.source import Source
from features.stream.sources.take_back import TakeBack, TakenBack
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, MINUTE_MS, event, record, wire
from tests.features.privacy.lives import archive
from tracking.access.voices import voice_of
from tracking.contract.events import EventRecord
from tracking.models import Site

NOW_MS = time.time_ns() // 1_000_000 - 2 * MINUTE_MS
BAD = 4_000_000_001
ITEMS = [f"item-{number}" for number in range(6)]
CATALOGUE = SiteKeys(items=ITEMS[:4], n_items=4, placements=("home",))

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def knows(site: str) -> SiteKeys:
    return CATALOGUE


def traffic(rng: random.Random, *, n_records: int) -> list[EventRecord]:
    """Return what honest users, a source, and some who were seen both in its network and elsewhere did, in order."""
    found = []
    for number in range(n_records):
        at_ms = NOW_MS - (n_records - number) * MINUTE_MS
        is_bad = rng.random() < 0.4
        user = rng.choice(["x", "m"] if is_bad else ["h", "m"]) + f"{rng.randrange(8):031d}"
        item = rng.choice(ITEMS)
        if rng.random() < 0.2:
            bought = [{"item_id": item, "price": rng.randrange(1, 90), "quantity": rng.randrange(1, 4)}]
            order = f"order-{user}-{number}"
            one = event("purchase", at_ms=at_ms, transaction_id=order, value=50, currency="EUR", items=bought)
        elif rng.random() < 0.3:
            lists = rng.choice(["home", "made-up"])
            kind = rng.choice(["view_item_list", "select_item"])
            one = event(kind, at_ms=at_ms, item_list_id=lists, items=[{"item_id": item, "index": 0}])
        else:
            one = event(rng.choice(["view_item", "add_to_cart"]), at_ms=at_ms, items=[item])
        logged_in = "customer" if rng.random() < 0.05 else None
        made = record(one, anonymous_id=user, user_id=logged_in)
        found.append(replace(made, network=BAD if is_bad else 1 + rng.randrange(5)))
    found.append(record(event("view_item", at_ms=NOW_MS, items=[ITEMS[0]]), anonymous_id="h" * 32))
    return found


def is_of_source(one: EventRecord) -> bool:
    return one.network == BAD and one.user_id is None


def counts_of(client: Any) -> dict[str, dict[str, list[int]]]:
    """Return every hash of counts of placements and lists; of items, ``World.hash`` has the panes that are read."""
    found: dict[str, dict[str, list[int]]] = {}
    for name in client.scan_iter("rs:{p*"):
        if client.type(name) != b"hash" or b"items:" in name:
            continue
        fields = {field.decode(): msgspec.msgpack.decode(blob) for field, blob in dict(client.hgetall(name)).items()}
        if fields:
            found[name.decode()] = fields
    return found


def stats_of(world: World, merger: ItemStatsMerger) -> Any:
    merger.merge()
    stats = load_item_stats(world.client, "shop")
    return stats.item_ids, stats.counts.tolist(), stats.rest.tolist()


def merger_of(world: World) -> ItemStatsMerger:
    return ItemStatsMerger(
        world.client, partitions=world.log.partitions, log_name=world.log_name, lateness_ms=LATENESS_MS
    )


def take_back(world: World, folder: ArchiveFolder, source: Source) -> TakenBack:
    return TakeBack(
        "shop",
        source,
        folder=folder,
        store=world.store,
        partitions=world.log.partitions,
        lateness_ms=LATENESS_MS,
        keys_of_site=knows,
        money_of=in_euros,
        voices=voice_of,
    ).run()


def live(world: World, records: Sequence[EventRecord]) -> None:
    world.fill([wire(one) for one in records])
    world.drain(world.worker(keys_of_site=knows, voices=voice_of))


def event_ids(folder: ArchiveFolder) -> set[str]:
    return {
        name
        for path in folder.files()
        for name in read_table(folder, path, columns=["event_id"])["event_id"].to_pylist()
    }


@pytest.mark.parametrize("seed", range(6))
def test_without_the_source_everything_is_as_if_it_had_never_come(
    worlds: Callable[..., World], tmp_path: Path, seed: int
) -> None:
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    records = traffic(random.Random(seed), n_records=250)
    others = [one for one in records if not is_of_source(one)]
    world, without = worlds("memory"), worlds("memory")
    live(world, records)
    live(without, others)
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive(folder, records)
    merger, merged_without = merger_of(world), merger_of(without)
    assert stats_of(world, merger) != stats_of(without, merged_without)
    only_bad = next(one.user_key for one in records if is_of_source(one) and one.anonymous_id.startswith("x"))  # type: ignore[union-attr]
    StoredProfile.objects.create(site=site, user_key=only_bad, state=b"", newest_ms=1)

    receipt = take_back(world, folder, Source(network=BAD))

    assert receipt.unsettled == 0
    assert receipt.users > receipt.emptied > 0
    assert world.hash() == without.hash()
    assert counts_of(world.client) == counts_of(without.client)
    assert stats_of(world, merger) == stats_of(without, merged_without)
    assert event_ids(folder) == {one.event_id for record_ in others for one in record_.events}
    assert not StoredProfile.objects.filter(user_key=only_bad).exists()
    assert take_back(world, folder, Source(network=BAD)) == TakenBack()


def test_a_worker_that_holds_counts_in_memory_goes_on_without_the_source(
    worlds: Callable[..., World], tmp_path: Path
) -> None:
    records = traffic(random.Random(7), n_records=120)
    others = [one for one in records if not is_of_source(one)]
    more = [
        record(event("view_item", at_ms=NOW_MS + MINUTE_MS, items=[item]), anonymous_id=f"{number:032d}")
        for number, item in enumerate(ITEMS)
    ]
    world, without = worlds("memory"), worlds("memory")
    worker = world.worker(keys_of_site=knows, voices=voice_of)
    world.fill([wire(one) for one in records])
    world.drain(worker)
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive(folder, records)

    take_back(world, folder, Source(network=BAD))
    world.fill([wire(one) for one in more])
    world.drain(worker)
    worker.close()
    live(without, [*others, *more])

    assert world.hash() == without.hash()


def test_one_whose_events_are_not_archived_yet_is_left_and_taken_back_later(
    worlds: Callable[..., World], tmp_path: Path
) -> None:
    mine = [
        replace(record(event("view_item", at_ms=NOW_MS + number, items=["item-1"]), anonymous_id="x" * 32), network=BAD)
        for number in range(2)
    ]
    world = worlds("memory")
    live(world, mine)
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive(folder, mine[:1])
    before = world.hash()

    assert take_back(world, folder, Source(network=BAD)).unsettled == 1
    assert world.hash() == before
    assert len(event_ids(folder)) == 1

    archive(folder, mine)
    assert take_back(world, folder, Source(network=BAD)).users == 1
    assert world.hash().counts == 0


def test_one_user_key_is_forgotten_and_the_network_stays_where_others_came_from_it(
    worlds: Callable[..., World], tmp_path: Path
) -> None:
    records = [
        replace(record(event("view_item", at_ms=NOW_MS + number, items=["item-1"]), anonymous_id=name * 32), network=5)
        for number, name in enumerate("xyxz")
    ]
    world, without = worlds("memory", partitions=1), worlds("memory", partitions=1)
    live(world, records)
    live(without, [one for one in records if one.user_key != "a:" + "x" * 32])
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive(folder, records)

    assert take_back(world, folder, Source(user_key="a:" + "x" * 32)).users == 1

    assert world.hash() == without.hash()


def test_memory_holds_the_rows_of_one_slice_of_users_at_a_time(
    worlds: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = traffic(random.Random(3), n_records=250)
    world, without = worlds("memory"), worlds("memory")
    live(world, records)
    live(without, [one for one in records if not is_of_source(one)])
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive(folder, records)
    held: list[int] = []

    def noted(*args: Any, users: Sequence[str], **options: Any) -> list[UserPast]:
        found = pasts(*args, users=users, **options)
        held.append(len(found))
        return found

    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "pasts", noted)

    receipt = take_back(world, folder, Source(network=BAD))

    assert max(held) == 2
    assert sum(held) == receipt.users > 4
    assert world.hash() == without.hash()
    assert counts_of(world.client) == counts_of(without.client)
