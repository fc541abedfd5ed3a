"""States rebuilt from the archive are those that the stream made."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from features import keys
from features.archive.replay import NotEmpty, Replayer, check_empty, differences, empty_states
from features.archive.writer import ArchiveFolder
from features.store.online import OnlineStore
from features.store.scan import StateHash, state_hash
from recsite.importing.checkpoint import Checkpoint, fingerprint_of
from recsite.importing.formats import open_source
from recsite.importing.loading import Importer
from tests.features.archive.archiving import archive_all
from tests.features.conftest import World
from tests.features.making import LATENESS_MS
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis

Worlds = Callable[..., World]


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


def three_files(folder: Path) -> list[Path]:
    """Write a history of thirty days as three files, the oldest first; two purchases go over their borders."""
    rnd = random.Random(5)
    begin_ms = 1_430_622_004_384
    at_ms = sorted(begin_ms + rnd.randrange(30 * 86_400_000) for _ in range(1_500))
    rows = []
    for number, time_ms in enumerate(at_ms):
        event = rnd.choices(["view", "addtocart", "transaction"], [20, 3, 1])[0]
        order = str(number // 40) if event == "transaction" else ""
        rows.append(f"{time_ms},{rnd.randrange(60)},{event},{rnd.randrange(40)},{order}\n")
    files = []
    for number in range(3):
        files.append(folder / f"events-{number}.csv")
        part = "".join(rows[number * 500 : (number + 1) * 500])
        files[-1].write_text("timestamp,visitorid,event,itemid,transactionid\n" + part)
    return files


def import_files(world: World, files: Sequence[Path], folder: Path) -> None:
    """Import one after the other, each of them counted before the next one comes."""
    for path in files:
        source = open_source(path, site="shop")
        importer = Importer(
            source,
            world.log,
            checkpoint=Checkpoint(folder / f"{path.stem}.json", fingerprint_of(path)),
            report_path=folder / f"{path.stem}.refused",
            on_progress=lambda progress: None,
        )
        importer.run()
        world.drain()


def hash_of(world: World) -> StateHash:
    return state_hash(world.client, partitions=4, log_name=world.log_name, lateness_ms=LATENESS_MS)


@pytest.mark.slow
@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_older_files_that_are_imported_later_count_after_a_replay_as_if_they_had_come_in_order(
    order: tuple[int, ...], worlds: Worlds, tmp_path: Path
) -> None:
    files = three_files(tmp_path)
    in_order, mixed = worlds("redis"), worlds("redis")
    import_files(in_order, files, tmp_path)
    (tmp_path / "mixed").mkdir()
    import_files(mixed, [files[number] for number in order], tmp_path / "mixed")
    folder = ArchiveFolder(str(tmp_path / "archive"))
    archive_all(mixed, folder)
    expected = hash_of(in_order)
    assert expected.profiles == 60
    assert hash_of(mixed) != expected, "the control: what is older is not counted as it comes"

    empty_states(mixed.client, partitions=4, log_name=mixed.log_name)
    replayer = Replayer(mixed.store, partitions=4, lateness_ms=LATENESS_MS)
    replayer.from_archive(folder, sites=["shop"])
    replayer.begin_at_the_log()

    assert hash_of(mixed) == expected
    mixed.drain()  # the worker meets the log again
    assert hash_of(mixed) == expected
