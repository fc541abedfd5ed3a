"""A log that was made again stops its readers, says so, and is read on when somebody says how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from features import keys, metrics
from features.archive.writer import ArchiveFolder, ArchiveWorker
from features.store import foreign_positions
from features.stream.loop import StreamWorker
from tests.features.archive.archiving import archive_all, frame_of
from tests.features.conftest import World
from tests.features.traffic import traffic
from tests.services.remade_topics import make_again
from tests.services.waiting import wait_until
from tracking.log import LogUnavailable

pytestmark = [pytest.mark.redis, pytest.mark.expects_errors(r"log\.position_foreign")]
Worlds = Callable[..., World]
BACKENDS = ["memory", "redis", pytest.param("kafka", marks=pytest.mark.kafka)]


def step(worker: StreamWorker | ArchiveWorker) -> None:
    try:
        worker.step(0.05)
    except LogUnavailable:
        return  # a broker that makes a topic again


def events_in(folder: ArchiveFolder) -> int:
    return frame_of(folder)["event_id"].n_unique() if folder.files() else 0


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_positions, "LOOK_EVERY_S", 0.1)


@pytest.fixture
def commands(settings, worlds: Worlds) -> Callable[[World], None]:
    def of(world: World) -> None:
        settings.EVENT_LOG_URL, settings.REDIS_URL = world.log_url, world.redis_url

    return of


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_new", [300, 1_400])
def test_no_event_is_skipped_without_a_word(
    worlds: Worlds, tmp_path: Path, backend: str, n_new: int, commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 events, the topic made again, and events in the new one: fewer than before, or more."""
    world, folder = worlds(backend), ArchiveFolder(str(tmp_path))
    commands(world)
    world.fill(traffic(1_000, resent=0.0))
    worker, archiver = world.worker(), ArchiveWorker(world.log, world.store, folder, flush_s=0.0)
    world.drain(worker)
    wait_until(lambda: step(archiver) or events_in(folder) == 1_000)
    stood = world.store.positions(range(4))

    make_again(world.log)
    world.fill(traffic(n_new, seed=5, resent=0.0))
    n_records = sum(len(list(world.log.read_all(partition))) for partition in range(4))
    wait_until(lambda: step(worker) or step(archiver) or len(worker.status.foreign) == 4)
    wait_until(lambda: step(archiver) or len(archiver._foreign.errors) == 4)

    assert world.ledger() == {"applied": 1_000}
    assert world.store.positions(range(4)) == stood
    assert "deleted and made again" in worker.status.foreign[0]
    assert metrics.LOG_FOREIGN.labels(group="features", partition="0")._value.get() == 1
    call_command("stream", "positions")
    said = capsys.readouterr().out
    assert all(part in said for part in ("8 of 8 positions are not of this log", "stream begin", "replay --flush"))
    call_command("stream_lag")
    assert f"{n_records} to apply, {n_records} to archive." in capsys.readouterr().out

    call_command("stream", "begin")
    wait_until(lambda: step(worker) or step(archiver) or sum(world.ledger().values()) == 1_000 + n_new)
    wait_until(lambda: step(archiver) or events_in(folder) == 1_000 + n_new)
    assert worker.status.foreign == {} == archiver._foreign.errors
    assert metrics.LOG_FOREIGN.labels(group="features", partition="0")._value.get() == 0
    assert world.lag() == 0
    with pytest.raises(CommandError, match="every position is of the log that is there"):
        call_command("stream", "begin")
    worker.close()
    archiver.close()


def test_the_partitions_whose_log_is_whole_go_on(worlds: Worlds) -> None:
    world = worlds("redis")
    world.fill(traffic(500, resent=0.0))
    worker = world.drain(world.worker())
    world.client.delete(world.log.address.stream(2))  # type: ignore[attr-defined]
    world.fill(traffic(500, seed=5, resent=0.0))
    mine = sum(len(world.log.read_range(partition)) for partition in (0, 1, 3))

    wait_until(lambda: step(worker) or (2 in worker.status.foreign and world.records_applied() >= mine))
    assert list(worker.status.foreign) == [2]
    assert world.log.behind(world.store.positions((0, 1, 3))) == {0: 0, 1: 0, 3: 0}
    worker.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", BACKENDS)
def test_positions_of_version_0_1_are_adopted_at_first_contact(worlds: Worlds, tmp_path: Path, backend: str) -> None:
    world, folder = worlds(backend), ArchiveFolder(str(tmp_path))
    world.fill(traffic(500, resent=0.0))
    world.drain()
    archive_all(world, folder)
    adopted = world.store.positions(range(4))
    for partition, position in adopted.items():
        for name_key in (keys.position, keys.archive_position):
            world.client.set(name_key(partition, world.log_name), position.partition("@")[0])

    world.drain()
    archive_all(world, folder)

    assert world.store.positions(range(4)) == adopted
    assert {p: world.store.stored_position(keys.archive_position, p) for p in range(4)} == adopted
    assert world.ledger() == {"applied": 500}
    make_again(world.log)
    worker = world.worker()
    wait_until(lambda: step(worker) or len(worker.status.foreign) == 4)
    worker.close()
