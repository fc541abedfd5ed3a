"""Into the event log: once each, in order, resumed after every death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recsite.importing import loading
from recsite.importing.checkpoint import Checkpoint, InvalidCheckpoint, fingerprint_of
from recsite.importing.formats import open_source
from recsite.importing.loading import Importer
from tests.recsite.importing.files import HEAD, ROOT, in_log, write
from tests.services.installations.migrated import put_migrated
from tests.services.waiting import wait_until
from tracking.log import EventLog, open_log
from tracking.log.memory import MemoryLog


def make_importer(path: Path, log: EventLog, folder: Path) -> Importer:
    return Importer(
        open_source(path, site="shop"),
        log,
        checkpoint=Checkpoint(folder / "import.json", fingerprint_of(path)),
        report_path=folder / "refused.tsv",
        on_progress=lambda progress: None,
    )


@pytest.fixture
def csv_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loading, "BATCH", 500)
    rows = "".join(
        f"{1430623510 + number},{number % 37},{'look' if number % 500 == 499 else 'view'},{number % 91}\n"
        for number in range(4_000)
    )
    return write(tmp_path / "events.csv", HEAD + rows)


@pytest.fixture
def memory_log() -> MemoryLog:
    log = open_log(f"memory://{uuid.uuid4().hex}?partitions=3")
    assert isinstance(log, MemoryLog)
    return log


@pytest.mark.slow
def test_everything_is_in_the_log_once_and_bad_rows_in_the_report(
    csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path
) -> None:
    progress = make_importer(csv_of_many, memory_log, tmp_path).run()

    found = in_log(memory_log)
    assert (progress.rows, progress.events, progress.refused) == (4_000, 3_992, 8)
    assert len(found) == len({record.events[0].event_id for record in found}) == 3_992
    report = (tmp_path / "refused.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in report] == [str(number) for number in range(501, 4_002, 500)]


@pytest.mark.slow
def test_a_finished_import_is_not_repeated(csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path) -> None:
    make_importer(csv_of_many, memory_log, tmp_path).run()

    make_importer(csv_of_many, memory_log, tmp_path).run()

    assert len(in_log(memory_log)) == 3_992


class Died(BaseException):
    """Stands for kill -9 at one line of the program."""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["after the append", "before the append", "after the report"])
@pytest.mark.parametrize("batch", [0, 3, 7])
def test_an_import_that_dies_goes_on_and_doubles_nothing(
    csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path, place: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = {
        "after the append": "_append_durably",
        "before the append": "_append_durably",
        "after the report": "_write_refusals",
    }
    original = getattr(Importer, hook[place])
    calls = 0

    def dying(self: Importer, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls - 1 < batch:
            return original(self, *args)
        if place == "after the report":
            original(self, *args)
            raise Died

        async def append_then_die() -> None:
            if place == "after the append":
                await original(self, *args)
            raise Died

        return append_then_die()

    with monkeypatch.context() as patched:
        patched.setattr(Importer, hook[place], dying)
        with pytest.raises(Died):
            make_importer(csv_of_many, memory_log, tmp_path).run()

    progress = make_importer(csv_of_many, memory_log, tmp_path).run()

    counts = Counter(record.events[0].event_id for record in in_log(memory_log))
    assert len(counts) == 3_992
    assert set(counts.values()) == {1}
    assert (progress.events, progress.refused) == (3_992, 8)
    assert len((tmp_path / "refused.tsv").read_text().splitlines()) == 8


@pytest.mark.slow
def test_without_the_intent_the_same_death_would_double(
    csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the test above notices what the intent prevents."""
    original = Importer._append_durably

    async def dying(self: Importer, *args: Any) -> None:
        await original(self, *args)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Importer, "_append_durably", dying)
        with pytest.raises(Died):
            make_importer(csv_of_many, memory_log, tmp_path).run()
    monkeypatch.setattr(Importer, "_already_in_log", lambda self, intent, encoded: set())

    make_importer(csv_of_many, memory_log, tmp_path).run()

    assert len(in_log(memory_log)) > 3_992


@pytest.mark.slow
def test_a_changed_file_is_not_taken_for_the_same(csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path) -> None:
    make_importer(csv_of_many, memory_log, tmp_path).run()
    with csv_of_many.open("a") as handle:
        handle.write("1530623510,7,view,a\n")

    with pytest.raises(InvalidCheckpoint, match="--restart"):
        make_importer(csv_of_many, memory_log, tmp_path)


@pytest.mark.slow
def test_events_of_one_user_stay_in_order(csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path) -> None:
    make_importer(csv_of_many, memory_log, tmp_path).run()

    times: dict[str, list[int]] = {}
    for record in in_log(memory_log):
        times.setdefault(record.user_key, []).append(record.events[0].occurred_at_ms)
    assert all(mine == sorted(mine) for mine in times.values())


def test_a_record_that_breaks_the_contract_goes_to_the_report(memory_log: MemoryLog, tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", HEAD + f"1430623510,7,view,{'x' * 200}\n1430623511,7,view,a\n")

    progress = make_importer(path, memory_log, tmp_path).run()

    assert (progress.events, progress.refused) == (1, 1)
    line, reason, _ = (tmp_path / "refused.tsv").read_text().split("\t")
    assert line == "2"
    assert "item_id" in reason


@pytest.mark.redis
@pytest.mark.slow
def test_killed_five_times_and_every_event_is_in_the_log_once(redis_url: str, tmp_path: Path) -> None:
    rows = "".join(f"{1430623510 + number},{number % 997},view,{number % 4001}\n" for number in range(30_000))
    path = write(tmp_path / "events.csv", HEAD + rows)
    log_url = f"{redis_url.rpartition('/')[0]}/7?stream=import-{os.getpid()}&partitions=4"
    environment = {
        **os.environ, "EVENT_LOG_URL": log_url, "REDIS_URL": redis_url, "RECSITE_DATA_DIR": str(tmp_path / "data"),
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    (tmp_path / "data").mkdir()
    manage = [sys.executable, str(ROOT / "manage.py")]
    put_migrated(tmp_path / "data")
    command = [*manage, "import_events", str(path), "--no-items"]
    log = open_log(log_url)
    kills = 0
    while kills < 5:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        goal = _progress(tmp_path) + loading.BATCH
        wait_until(
            lambda process=process, goal=goal: process.poll() is not None or _progress(tmp_path) >= goal,
            "the next checkpoint",
            step_s=0.002,
        )
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        kills += 1

    finished = subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True, text=True)

    counts = Counter(record.events[0].event_id for record in in_log(log))
    assert kills == 5
    assert "30,000 events" in finished.stdout
    assert "RECSITE_ARCHIVE_RETENTION_DAYS=400" in finished.stdout, "events of 2015 would be gone within the hour"
    assert len(counts) == 30_000
    assert set(counts.values()) == {1}


def _progress(folder: Path) -> int:
    for path in (folder / "data" / "imports").glob("*.json"):
        return int(json.loads(path.read_bytes())["units"])
    return 0
