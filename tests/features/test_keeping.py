"""What outlives Redis: profiles in the database, snapshots of segments, erasures, and the commands."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from features import keys, tasks
from features.archive.writer import ArchiveFolder
from features.models import Erasure, RfmSnapshot, SegmentThreshold, StoredProfile
from features.privacy import erasure
from features.state.states import decode_profile
from features.store import connections
from features.store.item_stats import load_item_stats
from features.stream import profiles
from tests.features.archive.test_writer import archive_all, frame_of
from tests.features.conftest import World
from tests.features.making import NOW_MS, event, record, wire
from tests.features.traffic import traffic
from tracking.models import Site

pytestmark = [pytest.mark.redis, pytest.mark.django_db]
Worlds = Callable[..., World]
ERASED = "anonymous-0000000007"


@pytest.fixture
def site() -> Site:
    found, _ = Site.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
    return found


@pytest.fixture
def world(worlds: Worlds, settings: Any, tmp_path: Path) -> Iterator[World]:
    """A world that is the whole installation: the settings point at it."""
    made = worlds("redis")
    settings.REDIS_URL, settings.EVENT_LOG_URL = made.redis_url, made.log_url
    settings.ARCHIVE_URL = str(tmp_path)
    connections.drop_clients()
    tasks._merger = None
    yield made
    connections.drop_clients()
    tasks._merger = None


def test_profiles_are_written_behind_when_they_changed(world: World, site: Site) -> None:
    world.fill(traffic(500, users=10))
    world.drain()

    first = profiles.store_changed_profiles()["shop"]
    assert first == StoredProfile.objects.count() == 10
    later = profiles.write_behind(world.client, site, partitions=4, since_s=-1.0)
    assert later == 0

    world.fill([wire(record(event("page_view"), anonymous_id="anonymous-0000000001"))])
    world.drain()
    assert profiles.write_behind(world.client, site, partitions=4, since_s=None) == 11 - 1


@pytest.mark.django_db(transaction=True)
def test_the_database_answers_for_forgotten_users(world: World, site: Site, settings: Any) -> None:
    world.fill(traffic(300, users=3))
    world.drain()
    profiles.store_changed_profiles()
    key = StoredProfile.objects.filter(user_key__startswith="a:").values_list("user_key", flat=True)[0]
    archive = profiles.ProfileArchive()
    assert archive.may_know("shop"), "before the database was asked, anybody may be known"
    StoredProfile.objects.update(stored_at=timezone.now() - timedelta(seconds=settings.PROFILE_TTL_S))
    archive.start()
    try:
        archive.request([("shop", key), ("shop", "a:nobody"), ("other", key)])
        found: dict[Any, Any] = {}
        world.wait_for(lambda: found.update(archive.answers()) or len(found) == 3)  # type: ignore[func-returns-value]
        assert not archive.may_know("other")
    finally:
        archive.close()

    assert found[("shop", key)] is not None
    assert (found[("shop", "a:nobody")], found[("other", key)]) == (None, None)


def test_segments_are_kept_for_the_admin(world: World, site: Site, admin_client: Any) -> None:
    world.fill(traffic(3_000))
    world.drain()

    tasks.recompute_segments()

    snapshot = RfmSnapshot.objects.get(site=site)
    assert snapshot.users > 50
    assert sum(snapshot.sizes.values()) == snapshot.users
    assert SegmentThreshold.objects.filter(site=site).count() == 10
    page = admin_client.get(reverse("admin:features_rfmsnapshot_changelist"))
    assert page.status_code == 200
    assert f"{snapshot.users:,} buyers" in page.content.decode()


def test_edited_bounds_count_from_the_next_run_on(world: World, site: Site) -> None:
    world.fill(traffic(1_000))
    world.drain()
    SegmentThreshold.objects.create(site=site, name="everybody", order=1)

    run = tasks.run_segments(site)

    assert run.sizes == {"everybody": run.users}


def test_old_runs_are_thinned(site: Site) -> None:
    old = timezone.now().replace(minute=0) - timedelta(days=3)
    for minute in range(0, 60, 5):
        RfmSnapshot.objects.create(
            site=site, made_at=old + timedelta(minutes=minute), users=1, seconds=0.1, cells=[], sizes={}, bounds={}
        )
    RfmSnapshot.objects.create(site=site, users=1, seconds=0.1, cells=[], sizes={}, bounds={})

    tasks.thin_snapshots(site)

    assert RfmSnapshot.objects.count() == 2


def test_item_counts_are_merged_for_the_web(world: World) -> None:
    world.fill(traffic(2_000, resent=0.0))
    world.drain()

    tasks.merge_item_stats()
    tasks.merge_item_stats()

    stats = load_item_stats(world.client, "shop")
    views = sum(
        one["event"] == "view_item" for _, value in traffic(2_000, resent=0.0) for one in json.loads(value)["events"]
    )
    assert stats.of("views", "24h").sum() == stats.of("views", "7d").sum() == views
    assert 0 < stats.of("views", "5m").sum() < views
    best = stats.popular(limit=5)
    assert len(best) == 5
    assert stats.count(best[0], "views", "7d") > 0
    assert stats.conversion().shape == (len(stats.item_ids),)


def test_the_log_is_trimmed_to_what_is_applied_and_archived(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(traffic(500))
    world.drain()
    trimmed: list[dict[int, str]] = []
    monkeypatch.setattr(type(connections.event_log()), "trim", lambda self, applied, **_: trimmed.append(applied) or 0)

    tasks.trim_log()
    assert all(position == "" for applied in trimmed for position in applied.values())
    trimmed.clear()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    tasks.trim_log()

    assert {p: at for applied in trimmed for p, at in applied.items()} == world.store.positions(range(4))


@pytest.mark.parametrize("behind", ["features", "archive"])
def test_the_log_keeps_what_one_of_its_readers_has_not_seen(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: str
) -> None:
    world.fill(traffic(300))
    world.drain()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    partitions = range(4)
    old = world.store.positions(partitions)
    monkeypatch.setattr(type(world.log), "read_range", None)  # counting must not read what may be millions
    ahead = keys.archive_position if behind == "features" else keys.position
    for partition, end in _one_more_each(world).items():
        world.client.set(ahead(partition, world.log_name), end)
    trimmed: dict[int, str] = {}
    monkeypatch.setattr(type(world.log), "trim", lambda self, applied, **_: trimmed.update(applied) or 0)

    tasks.trim_log()

    assert trimmed == old
    assert old != world.log.end_positions()


def _one_more_each(world: World) -> dict[int, str]:
    """Append records until every partition has more than before; return the new ends."""
    before = world.log.end_positions()
    number = 0
    while any(before[partition] == end for partition, end in world.log.end_positions().items()):
        number += 1
        world.fill([wire(record(event("page_view"), anonymous_id=f"anonymous-more-{number:06d}"))])
    return world.log.end_positions()


def test_parked_records_are_sent_again_after_an_upgrade(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracking.contract import parsing

    key, value = wire(record(event("view_item", items=["from-the-future"])))
    future, later = value.replace(b'"1.0"', b'"2.0"'), value.replace(b'"1.0"', b'"3.0"')
    assert future != value
    world.fill([(key, future), (key, future), (key, later), wire(record(event("view_item", items=["today"])))])
    world.drain()
    assert world.ledger() == {"applied": 1, "parked": 3}
    call_command("unpark", stdout=io.StringIO())
    world.drain()
    assert world.ledger() == {"applied": 1, "parked": 3}, "nothing can be read before the upgrade"

    monkeypatch.setattr(parsing, "SCHEMA_MAJOR", 2)
    out = io.StringIO()
    call_command("unpark", stdout=out)
    call_command("unpark", stdout=io.StringIO())
    world.drain()

    assert out.getvalue().startswith("2 records sent again, 0 broken, 1 still too new.")
    assert world.ledger() == {"applied": 2, "duplicate": 1, "parked": 3}


def test_an_erased_user_is_nowhere_and_does_not_come_back(world: World, site: Site, tmp_path: Path) -> None:
    records = traffic(2_000, users=20)
    world.fill(records)
    world.drain()
    profiles.store_changed_profiles()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    shown = erasure.export_user(site, user_id=None, anonymous_ids=[ERASED])
    assert shown["events"]
    assert shown["features"]
    assert shown["database"]

    receipt = erasure.erase_user(site, user_id=None, anonymous_ids=[ERASED])

    assert receipt["redis"]["keys"] >= 2
    assert receipt["database"]["rows"] == 1
    assert receipt["archive"]["rows"] == len(shown["events"])
    key = keys.profile(keys.partition_of("shop", f"a:{ERASED}", 4), "shop", f"a:{ERASED}")  # type: ignore[arg-type]
    assert world.client.get(key) is None
    assert frame_of(ArchiveFolder(str(tmp_path))).filter(anonymous_id=ERASED).is_empty()
    assert ERASED not in json.dumps(Erasure.objects.get().receipt)
    nothing = erasure.export_user(site, user_id=None, anonymous_ids=[ERASED])
    assert (nothing["events"], nothing["features"], nothing["database"]) == ([], {}, {})

    # What still is in the log is met again, by a worker and by a replay.
    worker = world.worker()
    while len(worker.status.positions) < 4:
        worker.step(0.1)
    for partition in worker.status.positions:
        worker._reader.seek(partition, "")
    worker.step(0.5)
    world.drain(worker)
    worker.close()
    assert world.client.get(key) is None
    out = io.StringIO()
    call_command("replay", "--source", "log", "--flush", stdout=out)
    assert "records replayed" in out.getvalue()
    assert world.client.get(key) is None


def test_the_orders_of_an_erased_user_go_with_it(world: World, site: Site) -> None:
    bought = event("purchase", transaction_id="T", items=[{"item_id": "a", "price": 5.0}], at_ms=NOW_MS)
    again = {**bought, "event_id": "told-by-the-server"}
    world.fill([wire(record(bought, anonymous_id=ERASED)), wire(record(event("page_view"), anonymous_id="b" * 16))])
    world.drain()
    (order,) = erasure.export_user(site, user_id=None, anonymous_ids=[ERASED])["features"][f"a:{ERASED}"]["orders"]
    assert list(order["lines"]) == ["a"]
    assert ERASED in _everything(world)

    erasure.erase_user(site, user_id=None, anonymous_ids=[ERASED])

    assert ERASED not in _everything(world)
    world.fill([wire(record(again, anonymous_id=None, user_id="7", source="server"))])
    world.drain()
    profile = keys.profile(keys.partition_of("shop", "u:7", 4), "shop", "u:7")  # type: ignore[arg-type]
    assert decode_profile(world.client.get(profile)).orders == 1, "it stands with nobody now, so whoever reports it"
    assert ERASED not in _everything(world)


def _everything(world: World) -> str:
    """Return all names and plain values of Redis but the log itself."""
    found = []
    for name in world.client.scan_iter("rs:*"):
        found.append(name)
        if world.client.type(name) == b"string":
            found.append(world.client.get(name))
    return b"\n".join(one for one in found if b":log:" not in one).decode(errors="replace")


def test_the_commands_rebuild_and_compare(world: World, site: Site, worlds: Worlds, tmp_path: Path) -> None:
    world.fill(traffic(2_000))
    world.drain()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    before, empty = io.StringIO(), worlds("memory").redis_url
    call_command("state_hash", "--json", stdout=before)

    out = io.StringIO()
    call_command("verify_features", "--replay-url", empty, stdout=out)
    assert "0 differences" in out.getvalue()

    key = next(world.client.scan_iter("rs:*:profile:*"))
    world.client.delete(key)
    with pytest.raises(SystemExit):
        call_command("verify_features", "--replay-url", worlds("memory").redis_url, stdout=out)
    assert "only in the replay" in out.getvalue()

    call_command("replay", "--source", "archive", "--flush", stdout=io.StringIO())
    after = io.StringIO()
    call_command("state_hash", "--json", stdout=after)
    assert json.loads(after.getvalue()) == json.loads(before.getvalue())
    world.drain()  # what is in both archive and log is met again
    again = io.StringIO()
    call_command("state_hash", "--json", stdout=again)
    assert json.loads(again.getvalue()) == json.loads(before.getvalue())


def test_what_came_too_late_is_named_and_counts_after_a_replay(
    world: World, site: Site, worlds: Worlds, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    late = record(
        event("purchase", items=["lamp"], transaction_id="1", value=20.0, at_ms=now_ms - 3 * 86_400_000),
        received_at_ms=now_ms + 1,
    )  # as a dead letter that was corrected and sent again three days later
    world.fill([wire(record(event("view_item", items=["sofa"], at_ms=now_ms))), wire(late)])
    world.drain()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    assert world.ledger() == {"applied": 1, "late": 1}

    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_features", "--replay-url", worlds("memory").redis_url, stdout=out)
    assert "1 events came too late to count online" in out.getvalue()
    call_command("replay", "--source", "archive", "--flush", stdout=io.StringIO())
    again = io.StringIO()
    call_command("verify_features", "--replay-url", worlds("memory").redis_url, stdout=again)

    assert "0 differences" in again.getvalue()
    profile = decode_profile(world.client.get(next(world.client.scan_iter("rs:*:profile:*"))))
    assert (profile.orders, profile.revenue, profile.views) == (1, 2_000, 1)
    world.drain()  # the log is met again, and the late event with it
    profile = decode_profile(world.client.get(next(world.client.scan_iter("rs:*:profile:*"))))
    assert (profile.orders, profile.revenue, profile.views) == (1, 2_000, 1)


def test_a_sample_of_users_is_compared(world: World, site: Site, worlds: Worlds, tmp_path: Path) -> None:
    world.fill(traffic(2_000))
    world.drain()
    archive_all(world, ArchiveFolder(str(tmp_path)))
    for key in world.client.scan_iter("rs:*:profile:*"):
        world.client.delete(key)

    def missing(*options: str) -> int:
        out = io.StringIO()
        with pytest.raises(SystemExit):
            call_command("verify_features", "--replay-url", worlds("memory").redis_url, *options, stdout=out)
        return int(re.findall(r"(\d+) differences", out.getvalue())[0])

    everybody, sampled = missing(), missing("--every", "4")

    assert everybody > 200
    assert 0.1 * everybody < sampled < 0.45 * everybody


def test_a_topic_with_more_partitions_takes_over(
    world: World, site: Site, worlds: Worlds, settings: Any, tmp_path: Path
) -> None:
    before, after = traffic(1_500), traffic(1_000, seed=8)
    world.fill(before)
    world.drain()
    archive_all(world, ArchiveFolder(str(tmp_path)))

    more = worlds("redis", partitions=8, redis_url=world.redis_url)
    settings.EVENT_LOG_URL = more.log_url
    connections.drop_clients()
    call_command("replay", "--source", "archive", "--flush", stdout=io.StringIO())
    more.fill(after)
    more.drain()

    clean = worlds("memory", partitions=8)
    clean.fill([*before, *after])
    clean.drain()
    assert more.hash() == clean.hash()
    partitions = {key.split(b":")[1] for key in world.client.scan_iter("rs:*:profile:*")}
    assert partitions == {b"{p%d}" % number for number in range(8)}
