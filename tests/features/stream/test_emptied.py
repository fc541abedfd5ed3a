"""Redis emptied is a drill: the worker waits, nothing is overwritten, and a replay brings the same states back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from features import keys, metrics
from features.archive.maintenance import compact
from features.archive.writer import ArchiveFolder
from features.exceptions import StoreUnavailable
from features.models import StoredProfile
from features.privacy import erasure
from features.state.counting.unknown import know_everything
from features.store import connections
from features.store.scan import state_hash
from features.stream import emptied, profiles
from features.stream.loop import StreamWorker
from tests.features.archive.archiving import archive_all
from tests.features.conftest import World
from tests.features.making import LATENESS_MS
from tests.features.traffic import traffic
from tests.services.waiting import wait_until
from tracking.models import Site

pytestmark = [pytest.mark.redis, pytest.mark.django_db]
Worlds = Callable[..., World]
ERASED = "anonymous-0000000007"


@pytest.fixture
def site() -> Site:
    return Site.objects.get_or_create(slug="shop", defaults={"name": "Shop"})[0]


@pytest.fixture
def world(worlds: Worlds, settings: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """The whole installation: a log that is not in the Redis that is emptied, an archive, and the database."""
    made = worlds(getattr(request, "param", "memory"))
    settings.REDIS_URL, settings.EVENT_LOG_URL = made.redis_url, made.log_url
    settings.ARCHIVE_URL = str(tmp_path)
    connections.drop_clients()
    yield made
    connections.drop_clients()


def worker_of(world: World) -> StreamWorker:
    return StreamWorker(
        world.log, world.store, lateness_ms=LATENESS_MS, batch_records=200, announce=lambda _: None,
        was_used=emptied.was_used,
    )  # fmt: skip


def step(worker: StreamWorker) -> None:
    worker.step(0.05)


def hash_of(world: World) -> object:
    return state_hash(world.client, partitions=4, log_name=world.log_name, lateness_ms=LATENESS_MS)


@pytest.mark.parametrize("world", ["memory", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
@pytest.mark.expects_errors(r"stream\.halted")
def test_what_was_lost_is_rebuilt_to_the_same_hash(
    world: World, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Emptied under a worker at work; meanwhile more events come, a worker restarts, and a user stays erased."""
    monkeypatch.setattr("features.stream.halts.RETRY_S", (0.1,))
    # Of items that no catalogue knows, those that came first are told apart: in a replay that may be others.
    monkeypatch.setattr("features.management.commands.replay.loaded_keys_of_site", know_everything)
    records = traffic(2_500, users=400, resent=0.05)  # few enough of each user that no votes are capped
    before, after = records[: len(records) * 4 // 5], records[len(records) * 4 // 5 :]
    world.fill(before)
    worker = world.drain(worker_of(world))
    archive_all(world, ArchiveFolder(str(tmp_path)))
    profiles.store_changed_profiles()
    erasure.erase_user(site, user_id=None, anonymous_ids=[ERASED])
    stored = dict(StoredProfile.objects.values_list("user_key", "state"))
    assert len(stored) > 40

    world.client.flushdb()
    world.fill(after)
    wait_until(lambda: step(worker) or len(worker.status.halted) == 4)
    worker.close()
    worker = worker_of(world)
    wait_until(lambda: step(worker) or len(worker.status.halted) == 4)

    assert all("Redis was emptied" in error for error in worker.status.halted.values())
    assert all("replay --flush" in error for error in worker.status.halted.values())
    assert "another worker owns it" not in caplog.text
    assert metrics.STORE_EMPTIED.labels(partition="0")._value.get() == 1
    profiles.store_changed_profiles()
    assert dict(StoredProfile.objects.values_list("user_key", "state")) == stored
    assert hash_of(world).profiles == 0  # type: ignore[attr-defined]

    call_command("replay", "--flush")
    wait_until(lambda: step(worker) or (world.lag() == 0 and not worker.status.halted))

    assert metrics.STORE_EMPTIED.labels(partition="0")._value.get() == 0
    erased_key = keys.profile(keys.partition_of("shop", f"a:{ERASED}", 4), "shop", f"a:{ERASED}")  # type: ignore[arg-type]
    assert world.client.get(erased_key) is None, "an erased user came back"
    rebuilt = hash_of(world)
    world.client.flushdb()  # what all events make of an empty store, without the erased user
    call_command("replay", "--source", "log")
    assert rebuilt == hash_of(world)
    worker.close()


@pytest.mark.expects_errors(r"stream\.halted")
def test_one_lost_partition_waits_alone(world: World, site: Site, tmp_path: Path) -> None:
    world.fill(traffic(800, users=80, resent=0.0))
    world.drain(worker_of(world)).close()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    compact(ArchiveFolder(str(tmp_path)), older_than_s=0.0, min_files=2)
    for key in world.client.scan_iter("rs:{p2}:*", count=1_000):
        world.client.delete(key)
    world.fill(traffic(800, users=80, seed=3, resent=0.0))
    n_others = sum(len(list(world.log.read_all(partition))) for partition in (0, 1, 3))

    worker = worker_of(world)
    wait_until(lambda: step(worker) or (world.records_applied() == n_others and 2 in worker.status.halted))

    assert list(worker.status.halted) == [2]
    worker.close()


def test_a_new_installation_and_a_partition_without_users_begin(world: World, site: Site, tmp_path: Path) -> None:
    one_user = traffic(50, users=1, resent=0.0)
    world.fill(one_user)
    world.drain(worker_of(world)).close()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    assert all(world.store.has_position(partition) for partition in range(4))

    for partition in range(4):  # as version 0.1 left them: no key where nothing was ever read
        if not world.store.stored_position(keys.position, partition):
            world.client.delete(keys.position(partition, world.log_name))
    worker = worker_of(world)
    wait_until(lambda: step(worker) or len(worker.status.positions) == 4)

    assert worker.status.halted == {}
    worker.close()


def test_where_nobody_can_tell_the_worker_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(url: str) -> ArchiveFolder:
        raise OSError("the object store does not answer")

    monkeypatch.setattr(emptied, "ArchiveFolder", unreachable)
    worker = worker_of(world)
    with pytest.raises(StoreUnavailable, match="cannot be told: the object store does not answer"):
        worker.step(0.05)
    assert worker.status.positions == {}
    worker.close()
