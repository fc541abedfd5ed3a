"""Events as Parquet: once each whatever happens, joined, forgotten, erased, and enough to rebuild the states."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace

from features import keys
from features.archive import maintenance
from features.archive.maintenance import compact, drop_old, erase_users, read_interactions
from features.archive.replay import NotEmpty, Replayer, check_empty, differences
from features.archive.rows import record_of, rows_of
from features.archive.writer import ArchiveFolder, ArchiveWorker
from features.store.online import OnlineStore
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, NOW_MS, event, record, wire
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]


def archive_all(world: World, folder: ArchiveFolder, *, flush_every: int = 10**9) -> None:
    worker = ArchiveWorker(world.log, world.store, folder, flush_s=1e9)
    steps = 0
    while worker.step(0.1) or steps < 3:
        steps += 1
        if steps % flush_every == 0:
            worker.flush()
    worker.close()


def frame_of(folder: ArchiveFolder) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in folder.files()])


def test_every_event_is_archived_once(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(2_000, resent=0.0))

    archive_all(world, folder, flush_every=2)

    assert frame_of(folder)["event_id"].n_unique() == 2_000
    assert frame_of(folder).select("event_id", "row").is_duplicated().sum() == 0
    assert all("site=shop/date=20" in path for path in folder.files())


def test_a_folder_that_is_no_disk_holds_the_same(worlds: Worlds) -> None:
    """An object store shows a file once it is whole and renames nothing; fsspec's own memory stands in for one."""
    world, folder = worlds("redis"), ArchiveFolder(f"memory://archive-{uuid.uuid4().hex}")
    world.fill(traffic(1_000))
    world.drain()

    archive_all(world, folder, flush_every=1)
    before = len(folder.files())
    compact(folder, older_than_s=0.0)

    assert 0 < len(folder.files()) < before
    empty = worlds("memory")
    store = OnlineStore(empty.client, log_name=world.log_name, session_ttl_s=900, profile_ttl_s=9_000)
    assert Replayer(store, partitions=4, lateness_ms=LATENESS_MS).from_archive(folder, sites=["shop"]) == 1_000
    assert list(differences(world.client, empty.client, partitions=4, lateness_ms=LATENESS_MS)) == []


def test_bots_move_no_feature_and_stand_marked_in_the_archive(worlds: Worlds, tmp_path: Path) -> None:
    world, without = worlds("memory"), worlds("memory")
    user = wire(record(event("view_item", items=["a"])))
    one = record(event("view_item", items=["b"]), event("add_to_cart", items=["b"]), anonymous_id="b" * 32)
    bot = wire(replace(one, ctx=replace(one.ctx, bot=True)))
    world.fill([bot, user, bot])
    without.fill([user])

    world.drain()
    without.drain()

    assert world.ledger() == {"applied": 1, "bot": 4}
    assert world.hash() == without.hash()
    folder = ArchiveFolder(str(tmp_path))
    archive_all(world, folder)
    kept = frame_of(folder).group_by("bot").agg(pl.col("event_id").n_unique()).sort("bot")
    assert kept.rows() == [(False, 1), (True, 2)]


def test_a_crash_between_file_and_position_leaves_no_doubles(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(500, resent=0.0))
    archive_all(world, folder)
    world.fill(traffic(500, seed=8, resent=0.0))
    dying = ArchiveWorker(world.log, world.store, folder)
    while dying.step(0.1):
        pass
    for partition, position in dying._read.items():  # the files are written, the positions are not
        dying._write(partition, dying._committed[partition], position)
    dying._reader.close()
    world.fill(traffic(500, seed=9, resent=0.0))

    archive_all(world, folder)

    assert frame_of(folder)["event_id"].n_unique() == 1_500
    assert frame_of(folder).select("event_id", "row").is_duplicated().sum() == 0


def test_joining_files_keeps_every_event_once(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(1_000))
    archive_all(world, folder, flush_every=1)
    before = len(folder.files())

    joined = compact(folder, older_than_s=0.0)

    assert joined > 0
    assert len(folder.files()) < before
    assert frame_of(folder)["event_id"].n_unique() == 1_000
    assert frame_of(folder).select("event_id", "row").is_duplicated().sum() == 0


def test_files_that_are_being_written_are_not_joined(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(300))
    archive_all(world, folder, flush_every=1)

    assert compact(folder, older_than_s=3_600.0) == 0


def test_days_beyond_the_retention_are_dropped(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(200))
    archive_all(world, folder)
    today = dt.datetime.now(dt.UTC).date()

    assert drop_old(folder, today=today, keep_days=2) == 0
    assert drop_old(folder, today=today + dt.timedelta(days=10), keep_days=2) > 0
    assert folder.files() == []


def test_an_erased_user_is_in_no_file(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(1_000, users=20))
    archive_all(world, folder)
    rows = frame_of(folder).height
    mine = frame_of(folder).filter(pl.col("anonymous_id") == "anonymous-0000000007").height

    erased = erase_users(folder, site="shop", user_ids=[], anonymous_ids=["anonymous-0000000007"])

    assert erased["rows"] == mine > 0
    assert frame_of(folder).height == rows - mine
    assert not any(b"anonymous-0000000007" in Path(path).read_bytes() for path in folder.files())


@pytest.mark.parametrize("moment", ["while it reads", "once it has read"])
@pytest.mark.parametrize("is_disk", [True, False])
def test_a_user_who_is_erased_while_files_are_joined_stays_erased(
    worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, is_disk: bool
) -> None:
    who = "anonymous-0000000007"
    folder = ArchiveFolder(str(tmp_path) if is_disk else f"memory://archive-{uuid.uuid4().hex}")
    world = worlds("redis")
    world.fill(traffic(1_000, users=20, resent=0.0))
    archive_all(world, folder, flush_every=1)

    def ids_of(path: str) -> list[str]:
        found: list[str] = maintenance.read_table(folder, path)["anonymous_id"].to_pylist()
        return found

    def events() -> set[str]:
        return {one for path in folder.files() for one in maintenance.read_table(folder, path)["event_id"].to_pylist()}

    named = [path for path in folder.files() if who in ids_of(path)]
    assert named
    erased: list[dict[str, int]] = []

    def erase() -> None:
        if not erased:
            erased.append({})
            erased[0] = erase_users(folder, site="shop", user_ids=[], anonymous_ids=[who])

    read, publish = maintenance.read_table, ArchiveFolder.publish_draft

    def reading(folder: ArchiveFolder, path: str, **options: Any) -> Any:
        table = read(folder, path, **options)
        if moment == "while it reads" and path == named[0]:
            erase()
        return table

    def publishing(folder: ArchiveFolder, draft: str, path: str, table: Any) -> None:
        if moment == "once it has read":
            erase()
        publish(folder, draft, path, table)

    with monkeypatch.context() as patch:
        patch.setattr(maintenance, "read_table", reading)
        patch.setattr(ArchiveFolder, "publish_draft", publishing)
        compact(folder, older_than_s=0.0)

    assert erased[0]["rows"] > 0
    assert not any(who in ids_of(path) for path in folder.files())
    others = events()
    assert compact(folder, older_than_s=0.0) > 0, "what was withdrawn is joined by the next run"
    assert events() == others
    assert folder.files(name=maintenance.DRAFTS) == []


def test_a_joined_file_that_appears_during_an_erasure_is_looked_into(
    worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = "anonymous-0000000007"
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(1_000, users=20))
    archive_all(world, folder, flush_every=1)
    joined: list[int] = []
    read = maintenance.read_table

    def reading(folder: ArchiveFolder, path: str, **options: Any) -> Any:
        if not joined:  # the erasure has listed the files, and looks into the first
            joined.append(0)
            joined[0] = compact(folder, older_than_s=0.0)
        return read(folder, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(maintenance, "read_table", reading)
        erased = erase_users(folder, site="shop", user_ids=[], anonymous_ids=[who])

    assert joined[0] >= maintenance.MIN_FILES
    assert erased["rows"] > 0
    assert frame_of(folder).filter(pl.col("anonymous_id") == who).is_empty()


def test_what_a_crash_left_of_a_joined_file_is_removed(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(100))
    archive_all(world, folder)
    where = Path(folder.files()[0]).parent
    old, new = where / ".joining-0-old.part", where / ".joining-0-new.part"
    for path in (old, new):
        folder.begin_draft(str(path))
    long_ago = time.time() - 2 * maintenance.LEFTOVER_S
    os.utime(old, (long_ago, long_ago))

    compact(folder, older_than_s=3_600.0)

    assert (old.exists(), new.exists()) == (False, True)


def test_interactions_know_whose_anonymous_ones_they_are(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    from tests.features.making import wire

    world.fill(
        [
            wire(record(event("view_item", items=["a", "b"], at_ms=NOW_MS))),
            wire(record(event("purchase", items=["a"], transaction_id="1", at_ms=NOW_MS + 1), user_id="7")),
            wire(record(event("page_view", at_ms=NOW_MS + 2))),
        ]
    )
    archive_all(world, folder)

    found = read_interactions(str(tmp_path), site="shop")

    assert found.select("user", "event", "item_id").rows() == [
        ("u:7", "view_item", "a"), ("u:7", "view_item", "b"), ("u:7", "purchase", "a"),
    ]  # fmt: skip
    assert read_interactions(str(tmp_path), site="shop", until_ms=NOW_MS).is_empty()
    assert read_interactions(str(tmp_path), site="nobody").is_empty()


def test_rows_become_the_record_again() -> None:
    made = record(
        event(
            "purchase",
            items=[{"item_id": "a", "price": 2.5, "quantity": 3, "rec_id": "r1.x"}, {"item_id": "b"}],
            transaction_id="t",
            value=7.5,
            currency="EUR",
        ),
        user_id="7",
    )
    from features.archive.rows import COLUMNS

    rows = [dict(zip(COLUMNS, row, strict=True)) for _, row in rows_of(made)]

    assert record_of(rows) == made


def test_a_replay_of_the_archive_makes_the_same_states(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(4_000))
    world.drain()
    archive_all(world, folder, flush_every=3)
    empty = worlds("memory")
    store = OnlineStore(empty.client, log_name=world.log_name, session_ttl_s=900, profile_ttl_s=9_000)

    replayer = Replayer(store, partitions=4, lateness_ms=LATENESS_MS)
    replayer.from_archive(folder, sites=["shop"])

    assert list(differences(world.client, empty.client, partitions=4, lateness_ms=LATENESS_MS)) == []
    key = next(world.client.scan_iter("rs:*:profile:*"))
    world.client.delete(key)
    found = list(differences(world.client, empty.client, partitions=4, lateness_ms=LATENESS_MS))
    assert [one.what for one in found] == ["only in the replay"]
    with pytest.raises(NotEmpty, match="--flush"):
        check_empty(empty.client, partitions=4)
    replayer.begin_at_the_log()
    assert store.stored_position(keys.position, 0) == ""


def test_stopping_writes_what_waits(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(100))
    worker, stop = ArchiveWorker(world.log, world.store, folder, flush_s=1e9), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    world.wait_for(lambda: worker._row_count >= 100)

    stop.set()
    thread.join(10)

    assert frame_of(folder)["event_id"].n_unique() == 100
