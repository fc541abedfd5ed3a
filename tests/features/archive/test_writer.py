"""Events as Parquet: once each, whatever happens while they are written."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from features.archive.maintenance import compact
from features.archive.replay import Replayer, differences
from features.archive.writer import ArchiveFolder, ArchiveWorker
from features.store.online import OnlineStore
from tests.features.archive.archiving import archive_all, frame_of
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, event, record, wire
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis

Worlds = Callable[..., World]


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
