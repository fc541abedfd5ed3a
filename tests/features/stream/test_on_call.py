"""What calls somebody at night: a full or read-only store, a clock that jumped, a repartitioned topic, a full disk."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.archive.writer import ArchiveFolder, ArchiveWorker
from features.exceptions import PartitionsDiffer
from features.state.batch import StoredBatch, apply_batch, parse_batch
from features.state.progress import Progress, decode, encode
from features.store import connections
from features.stream.loop import StreamWorker
from features.stream.topic import TopicCheck, check_topic
from tests.features.archive.test_writer import frame_of
from tests.features.conftest import ROOT, World
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, event, record, wire
from tests.features.test_faults import clean_run
from tests.features.traffic import traffic
from tests.services.process import free_port
from tests.services.redis_server import RedisServer
from tests.services.waiting import stays_async, wait_until, wait_until_async
from tests.tracking.web_process import Web
from tracking.log import Record, open_log

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]
DAY_MS = 24 * 60 * MINUTE_MS


@contextmanager
def running(worker: StreamWorker) -> Iterator[None]:
    """Let a worker run in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def _fill_up(world: World) -> None:
    world.client.config_set("maxmemory-policy", "noeviction")
    world.client.config_set("maxmemory", 1_000_000)


def _make_room(world: World) -> None:
    world.client.config_set("maxmemory", 0)


def _make_read_only(world: World) -> None:
    world.client.execute_command("REPLICAOF", "127.0.0.1", free_port())


def _make_writable(world: World) -> None:
    world.client.execute_command("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(
    ("breaks", "mends", "said"),
    [(_fill_up, _make_room, "maxmemory"), (_make_read_only, _make_writable, "read only")],
)
def test_a_store_that_takes_no_writes_only_delays(
    worlds: Worlds,
    own_server: Any,
    caplog: pytest.LogCaptureFixture,
    breaks: Callable[[World], None],
    mends: Callable[[World], None],
    said: str,
) -> None:
    records = traffic(3_000)
    clean = clean_run(worlds, records)
    world = worlds("memory", redis_url=own_server(RedisServer).url)
    world.batch_records = 50
    world.fill(records[:1_000])
    worker = world.worker()
    with running(worker):
        world.wait_for(lambda: worker.status.records > 300)
        breaks(world)
        world.fill(records[1_000:])
        world.wait_for(lambda: worker.status.is_paused)
        assert world.records_applied() < len(records), "all was done before; the test shows nothing"
        mends(world)
        world.wait_for(lambda: world.records_applied() == len(records))

    assert any("stream.paused" in one.getMessage() and said in one.getMessage() for one in caplog.records)
    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


def test_a_web_server_whose_clock_jumped_makes_nobody_else_late() -> None:
    jumped = record(event("view_item", items=["a"], at_ms=NOW_MS + DAY_MS), received_at_ms=NOW_MS + DAY_MS)
    others = [
        record(event("view_item", items=["b"], at_ms=NOW_MS + n), anonymous_id=f"another-user-000{n}") for n in range(5)
    ]
    appended_ms = NOW_MS + 10  # by the clock of the log

    def outcomes_of(timestamp_ms: int) -> tuple[dict[str, int], Progress]:
        log = [Record(0, str(n), *wire(one), timestamp_ms) for n, one in enumerate([jumped, *others])]
        batch = parse_batch(0, log)
        nobody = dict.fromkeys(batch.by_user)
        stored = StoredBatch(progress=encode(Progress()), erased={}, sessions=nobody, profiles=nobody)
        applied = apply_batch(batch, stored, lateness_ms=LATENESS_MS)
        return applied.outcomes, decode(encode(applied.progress))

    outcomes, after = outcomes_of(appended_ms)

    assert (outcomes["applied"], outcomes["late"]) == (6, 0)
    assert after.watermarks == {"shop|live": appended_ms}
    assert outcomes_of(0)[0]["late"] == 5, "without the log's clock they would have been"


def test_a_repartitioned_topic_is_refused_each_time(worlds: Worlds, settings: Any) -> None:
    world = worlds("redis", partitions=4)
    settings.EVENT_LOG_URL = world.log_url.replace("partitions=4", "partitions=8")
    connections.drop_clients()
    try:
        for _ in range(2):  # the second time, too: the worker tries again
            with pytest.raises(PartitionsDiffer, match=r"has 4 partitions, EVENT_LOG_URL says 8: set partitions=4"):
                check_topic()
        assert connections.partitions() == 8, "what readers count with must not change on the way"
    finally:
        connections.drop_clients()


async def answer_of(check: TopicCheck) -> str | None:
    """Return what a check says once the log has answered."""
    await wait_until_async(lambda: check.is_answered, "the log to answer")
    return check.problem()


@pytest.mark.parametrize(("configured", "refused"), [(8, True), (4, False), (2, True)])
@pytest.mark.expects_errors(r"topic\.partitions_differ", maybe=True)
def test_a_web_process_that_counts_otherwise_is_not_ready(
    worlds: Worlds, settings: Any, configured: int, refused: bool
) -> None:
    world = worlds("redis", partitions=4)
    world.log.ensure_topic()
    settings.EVENT_LOG_URL = world.log_url.replace("partitions=4", f"partitions={configured}")

    async def asked() -> str | None:
        check = TopicCheck()
        await check.start()
        try:
            return await answer_of(check)
        finally:
            await check.stop()

    problem = asyncio.run(asked())

    assert (problem is not None) == refused
    assert problem is None or f"has 4 partitions, EVENT_LOG_URL says {configured}: set partitions=4" in problem


@pytest.mark.expects_errors(r"topic\.partitions_differ")
def test_a_web_process_starts_without_the_log_and_asks_it_later(settings: Any) -> None:
    async def asked(server: RedisServer) -> str | None:
        check = TopicCheck(ask_again_s=0.05)
        await check.start()
        try:
            is_patient = await stays_async(lambda: not check.is_answered and check.problem() is None, for_s=0.2)
            assert is_patient, "an outage of the log must not take the web tier down"
            server.start()
            return await answer_of(check)
        finally:
            await check.stop()

    with RedisServer() as server:
        open_log(f"{server.url}?stream=later&partitions=4").ensure_topic()
        server.stop()
        settings.EVENT_LOG_URL = f"{server.url}?stream=later&partitions=8"

        problem = asyncio.run(asked(server))

    assert problem is not None
    assert "has 4 partitions, EVENT_LOG_URL says 8" in problem


@pytest.mark.slow
def test_readyz_of_a_web_process_says_how_the_log_is_cut(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds("redis", partitions=4)
    world.log.ensure_topic()
    wrong = world.log_url.replace("partitions=4", "partitions=8")
    web = Web(tmp_path, redis_url=world.redis_url, log_url=wrong, application="recsite.asgi:application").prepare()
    web.start()
    try:

        def reason() -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{web.port}/readyz", timeout=5):
                    return ""
            except urllib.error.HTTPError as error:
                return str(json.loads(error.read())["reasons"].get("event_log", ""))

        assert "has 4 partitions, EVENT_LOG_URL says 8: set partitions=4" in wait_until(reason, "the log's reason")
    finally:
        web.stop()


@pytest.mark.slow
def test_celery_does_not_start_on_a_repartitioned_topic(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds("redis", partitions=4)
    world.fill(traffic(50))
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "recsite", "worker", "-Q", "stream", "-P", "solo", "--without-mingle"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "recsite.settings",
            "EVENT_LOG_URL": world.log_url.replace("partitions=4", "partitions=8"),
            "REDIS_URL": world.redis_url,
            "RECSITE_DATA_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "has 4 partitions, EVENT_LOG_URL says 8" in done.stdout + done.stderr
    assert world.records_applied() == 0


@pytest.mark.slow
@pytest.mark.kafka
def test_partitions_that_are_added_to_a_running_topic_stop_the_worker(
    worlds: Worlds, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kafka

    from tracking.log import kafka_reader

    world = worlds("kafka", partitions=4)
    world.fill(traffic(200))
    worker = world.worker()
    real = kafka.KafkaConsumer
    # Sooner than after 30 s, as in production, the client looks for new partitions.
    monkeypatch.setattr(
        kafka_reader.kafka, "KafkaConsumer", lambda **options: real(**{**options, "metadata_max_age_ms": 500})
    )
    with running(worker):
        world.wait_for(lambda: world.lag() == 0)
        with open_log(world.log_url)._admin(10.0) as admin:  # type: ignore[attr-defined]
            admin.create_partitions({world.log.topic: 8})
        world.wait_for(lambda: worker.status.is_paused)

    said = [one.getMessage() for one in caplog.records if "stream.paused" in one.getMessage()]
    assert any("EVENT_LOG_URL says 4" in one for one in said)
    assert set(worker.status.positions) <= {0, 1, 2, 3}


def test_a_full_disk_delays_the_archive_and_nothing_is_left_lying_about(
    worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(400, resent=0.0))
    worker = ArchiveWorker(world.log, world.store, folder, flush_s=0.0)
    real, is_full = pq.write_table, True

    def write(table: Any, file: Any, **options: Any) -> None:
        file.write(b"PAR1 and some more")
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.seek(0)
        real(table, file, **options)

    monkeypatch.setattr(pq, "write_table", write)
    with pytest.raises(OSError, match="No space left"):
        _step_often(worker)
    buffered = worker._row_count
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            worker.step(0.1)

    assert worker._row_count == buffered, "it read on without room to write"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    is_full = False
    _step_often(worker)
    worker.close()
    assert frame_of(folder)["event_id"].n_unique() == 400
    assert frame_of(folder).select("event_id", "row").is_duplicated().sum() == 0


def _step_often(worker: ArchiveWorker) -> None:
    for _ in range(10):
        worker.step(0.1)
