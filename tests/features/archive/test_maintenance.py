"""Files of the archive: joined, dropped, freed of a user, and read for training."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.archive import maintenance
from features.archive.maintenance import compact, drop_old, erase_rows
from features.archive.writer import ArchiveFolder
from features.privacy.ownership import Ownership
from tests.features.archive.archiving import archive_all, frame_of
from tests.features.conftest import World
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis

Worlds = Callable[..., World]


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

    erased = erase_rows(folder, site="shop", rows=Ownership(user_id=None, browsers=("anonymous-0000000007",)))

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
            erased[0] = erase_rows(folder, site="shop", rows=Ownership(user_id=None, browsers=(who,)))

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
        erased = erase_rows(folder, site="shop", rows=Ownership(user_id=None, browsers=(who,)))

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
