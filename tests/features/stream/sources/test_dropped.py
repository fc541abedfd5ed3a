"""What a forgotten source sent stands in the log for days: whoever reads that again leaves it out."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from msgspec.structs import replace

from features.archive.replay import Replayer
from features.archive.writer import ArchiveFolder, ArchiveWorker
from features.state.batch import Drops
from features.stream.sources.dropped import drops_of, forgotten_names, quarantined_names
from features.stream.sources.source import Source
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, event, record, wire
from tests.features.privacy.lives import archive
from tests.features.stream.sources.test_take_back import BAD, event_ids, is_of_source, knows, live, take_back, traffic
from tracking.access.voices import voice_of
from tracking.models import QuarantinedSource, Site

pytestmark = [pytest.mark.django_db, pytest.mark.redis]
Worlds = Callable[..., World]
DROPS = drops_of({"shop": frozenset({BAD})})
assert DROPS is not None


def replayer(world: World, *, drops: Drops | None = DROPS) -> Replayer:
    return Replayer(
        world.store,
        partitions=world.log.partitions,
        lateness_ms=LATENESS_MS,
        keys_of_site=knows,
        voices=voice_of,
        drops=drops,
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_from_the_log_does_not_bring_it_back(worlds: Worlds, seed: int) -> None:
    records = traffic(random.Random(seed), n_records=200)
    world, without, again = worlds("memory"), worlds("memory"), worlds("memory")
    live(without, [one for one in records if not is_of_source(one)])
    world.fill([wire(one) for one in records])

    again_all = replayer(again, drops=None)
    again_all.from_log(world.log)
    assert again.hash() != without.hash()
    replayer(world).from_log(world.log)

    assert world.hash() == without.hash()


def test_a_worker_and_an_archive_that_begin_at_the_logs_beginning_leave_it_out(worlds: Worlds, tmp_path: Path) -> None:
    records = traffic(random.Random(11), n_records=200)
    others = [one for one in records if not is_of_source(one)]
    world, without = worlds("memory"), worlds("memory")
    live(without, others)
    world.fill([wire(one) for one in records])
    worker = world.worker(keys_of_site=knows, voices=voice_of)
    world.drain(worker).close()
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive(folder, records)
    take_back(world, folder, Source(network=BAD))
    world.client.flushdb()

    world.drain(world.worker(keys_of_site=knows, voices=voice_of, drops=lambda: DROPS))
    archiver = ArchiveWorker(world.log, world.store, folder, flush_s=0.0, drops=lambda: DROPS)
    while archiver.step(0.1):
        pass
    archiver.close()

    assert world.hash() == without.hash()
    assert world.ledger()["forgotten"] == sum(map(is_of_source, records))
    assert event_ids(folder) == {one.event_id for left in others for one in left.events}


def test_an_order_of_it_is_claimed_for_nobody(worlds: Worlds) -> None:
    bought = [{"item_id": "item-1", "price": 5, "quantity": 1}]
    order = event("purchase", transaction_id="order-1", value=5, currency="EUR", items=bought)
    world = worlds("memory")
    world.fill([wire(replace(record(order, anonymous_id="x" * 32), network=BAD))])

    replayer(world).from_log(world.log)

    assert [name for name in world.client.scan_iter("rs:*") if b"order" in name] == []


def test_a_rebuild_leaves_out_more_than_a_worker_does() -> None:
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    QuarantinedSource.objects.create(site=site, network=5)
    QuarantinedSource.objects.create(site=site, user_key="a:b", forgotten_at=timezone.now())

    assert quarantined_names() == {"shop": {5, "a:b"}}
    assert forgotten_names() == {"shop": {"a:b"}}
    assert drops_of({}) is None
    drops = drops_of(quarantined_names())
    assert drops is not None
    one = replace(record(event("view_item", items=["a"]), anonymous_id="x" * 32), network=5)
    assert drops(one)
    assert not drops(replace(one, user_id="ann"))
    assert not drops(replace(one, source="server"))
    assert not drops(replace(one, site="other"))
