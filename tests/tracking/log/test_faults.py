"""Real brokers frozen, killed and brought back while records are being written and read."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.kafka_server import KafkaServer
from tests.services.process import Server
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until, wait_until_async
from tracking.collect.durable import DurableWriter
from tracking.collect.spool import Spool
from tracking.log import EventLog, LogUnavailable, open_log

PARTITIONS = 2
PATIENCE_S = 60.0
WAIT_S = 0.05
BUSY_S = 2.0
"""How long a busy machine may keep a process from running; what waits for a broker takes ten times as long."""
BACKENDS = [
    pytest.param(RedisServer, marks=pytest.mark.redis, id="redis"),
    pytest.param(KafkaServer, marks=[pytest.mark.kafka, pytest.mark.slow], id="kafka"),
]


@pytest.fixture(params=BACKENDS)
def server(request: pytest.FixtureRequest, own_server: Callable[[Callable[[], Server]], Server]) -> Server:
    return own_server(request.param)


def log_of(server: Server) -> EventLog:
    if isinstance(server, RedisServer):
        return open_log(f"{server.url}?stream=faults&partitions={PARTITIONS}")
    assert isinstance(server, KafkaServer)
    return open_log(f"kafka://{server.bootstrap}/faults?partitions={PARTITIONS}")


@pytest.fixture
def log(server: Server) -> EventLog:
    log = log_of(server)
    log.ensure_topic(timeout_s=PATIENCE_S)
    return log


def read_all(log: EventLog) -> list[tuple[bytes, bytes]]:
    return [(record.key, record.value) for partition in range(PARTITIONS) for record in log.read_all(partition)]


class LoopWatch:
    """Notes the longest time for which the event loop did not come round."""

    async def __aenter__(self) -> LoopWatch:
        self.worst_s = 0.0
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.002)  # sleep: the beat of the watch
            self.worst_s = max(self.worst_s, time.monotonic() - started - 0.002)


async def test_a_writer_starts_without_a_broker_fails_fast_and_connects_by_itself(server):
    server.kill()
    writer = log_of(server).writer()
    async with LoopWatch() as watch:
        started = time.monotonic()
        await writer.start()
        for _ in range(20):
            with pytest.raises(LogUnavailable):
                await writer.append(b"k", b"v", timeout_s=WAIT_S)
            await asyncio.sleep(0.01)  # sleep: the pace of who appends
        assert time.monotonic() - started < 20 * (0.01 + WAIT_S) + BUSY_S
    assert watch.worst_s < BUSY_S

    await asyncio.to_thread(server.start)
    log = log_of(server)
    await asyncio.to_thread(log.ensure_topic, timeout_s=PATIENCE_S)
    assert await writer.wait_ready(timeout_s=PATIENCE_S)
    await writer.append(b"k", b"v", timeout_s=5)
    await writer.close()
    assert read_all(log) == [(b"k", b"v")]


async def test_a_frozen_broker_costs_no_more_than_the_time_out_and_blocks_nobody(server, log):
    writer = log.writer()
    await writer.start()
    assert await writer.wait_ready(timeout_s=PATIENCE_S)
    await writer.append(b"k", b"before", timeout_s=5)
    server.freeze()
    try:
        async with LoopWatch() as watch:
            for _ in range(5):
                started = time.monotonic()
                with pytest.raises(LogUnavailable):
                    await writer.append(b"k", b"while frozen", timeout_s=WAIT_S)
                assert time.monotonic() - started < WAIT_S + BUSY_S
        assert watch.worst_s < BUSY_S
    finally:
        server.thaw()

    async def is_appended() -> bool:
        try:
            await writer.append(b"k", b"after", timeout_s=1)
        except LogUnavailable:
            return False
        return True

    await wait_until_async(is_appended, "the log to take records again")
    await writer.close()
    found = [value for _, value in read_all(log)]
    assert found[0] == b"before"
    assert found[-1] == b"after"


async def test_what_is_on_its_way_to_a_frozen_broker_is_bounded(server, log):
    writer = log.writer()
    await writer.start()
    assert await writer.wait_ready(timeout_s=PATIENCE_S)
    writer._max_records = 50  # type: ignore[attr-defined]
    server.freeze()
    try:
        outcomes = await writer.append_many([(b"k", b"v")] * 200, timeout_s=WAIT_S)
        assert all(isinstance(outcome, LogUnavailable) for outcome in outcomes)
        assert sum("too slow" in str(outcome) for outcome in outcomes) == 150
        assert writer._in_flight_records <= 50  # type: ignore[attr-defined]
    finally:
        server.thaw()
    assert await writer.flush(timeout_s=PATIENCE_S), "what was given up must stop counting"
    await writer.close()


@pytest.mark.parametrize("fault", ["frozen", "killed"])
async def test_a_broker_that_is_down_for_a_while_loses_nothing_and_keeps_the_order(server, log, tmp_path, fault):
    writer = DurableWriter(log.writer(), Spool(tmp_path, max_bytes=50_000_000), wait_s=WAIT_S)
    await writer.start()
    assert await writer._log.wait_ready(timeout_s=PATIENCE_S)
    outcomes: list[str] = []
    promised: dict[bytes, list[bytes]] = {}
    is_over = asyncio.Event()

    async def user_of(user: bytes) -> None:
        number = 0
        while not is_over.is_set():
            value = b"%s %d" % (user, number)
            outcomes.append(await writer.append(user, value))
            promised.setdefault(user, []).append(value)
            number += 1
            await asyncio.sleep(0.005)  # sleep: the pace of a user

    users = [asyncio.create_task(user_of(b"user-%d" % number)) for number in range(8)]
    await wait_until_async(lambda: len(outcomes) >= 200, "records in the log")
    if fault == "frozen":
        server.freeze()
        await asyncio.sleep(3.0)  # sleep: how long the broker is frozen
        server.thaw()
    else:
        await asyncio.to_thread(server.kill)
        await wait_until_async(lambda: "spool" in outcomes, "the outage to be noticed")
        await asyncio.to_thread(server.start)
    await wait_until_async(lambda: not writer._is_spooling, "the spool to be drained within a minute", within_s=60)
    is_over.set()
    await asyncio.gather(*users)
    assert await writer.flush(timeout_s=PATIENCE_S)
    await writer.close()

    assert {"log", "spool"} == set(outcomes)
    found: dict[bytes, list[bytes]] = {}
    for key, value in read_all(log):
        found.setdefault(key, []).append(value)
    for user, values in promised.items():
        # Some records arrive twice (their acknowledgement came too late); the first arrivals are in order.
        assert list(dict.fromkeys(found[user])) == values


async def test_a_reader_goes_on_by_itself_when_its_broker_was_killed(server, log):
    stored: dict[int, str] = {}
    reader = log.reader("group", on_assigned=lambda _: dict(stored), on_revoked=lambda _: None)
    seen: list[bytes] = []

    def read_until(count: int) -> None:
        def read() -> bool:
            try:
                polled = reader.poll(0.05, 100)
            except LogUnavailable:
                return False
            for partition, records in polled.items():
                seen.extend(record.value for record in records)
                stored[partition] = records[-1].position
            return len(seen) >= count

        wait_until(read, f"{count} records", within_s=PATIENCE_S)

    async def write(start: int) -> None:
        writer = log.writer()
        await writer.start()
        assert await writer.wait_ready(timeout_s=PATIENCE_S)
        records = [(b"user-%d" % (number % 7), b"%d" % number) for number in range(start, start + 50)]
        assert await writer.append_many(records, timeout_s=PATIENCE_S) == [None] * 50
        await writer.close()

    try:
        await write(0)
        await asyncio.to_thread(read_until, 50)
        server.kill()
        await asyncio.to_thread(server.start)
        await write(50)
        await asyncio.to_thread(read_until, 100)
    finally:
        reader.close()
    assert sorted(map(int, seen)) == list(range(100))


MEMBER = """
import sys
from tracking.log import open_log
reader = open_log(sys.argv[1]).reader("group", on_assigned=lambda _: {}, on_revoked=lambda _: None)
while True:
    reader.poll(0.1, 100)
    print(len(reader.assignment()), flush=True)
"""


def test_the_partitions_of_a_killed_reader_go_to_the_others_within_seconds(server, log):
    url = (
        f"{server.url}?stream=faults&partitions={PARTITIONS}"
        if isinstance(server, RedisServer)
        else f"kafka://{server.bootstrap}/faults?partitions={PARTITIONS}"  # type: ignore[attr-defined]
    )
    reader = log.reader("group", on_assigned=lambda _: {}, on_revoked=lambda _: None)

    def poll_until(count: int) -> float:
        started = time.monotonic()
        while len(reader.assignment()) != count:
            assert time.monotonic() - started < PATIENCE_S
            reader.poll(0.05, 100)
        return time.monotonic() - started

    try:
        poll_until(PARTITIONS)
        with subprocess.Popen([sys.executable, "-c", MEMBER, url], stdout=subprocess.PIPE, text=True) as other:
            poll_until(PARTITIONS - 1)
            assert other.stdout is not None
            while other.stdout.readline().strip() != "1":
                reader.poll(0.01, 100)
            other.kill()
            taken_over_after_s = poll_until(PARTITIONS)
        assert taken_over_after_s < 15 + BUSY_S
    finally:
        reader.close()


KEEP_SENDING = """
import asyncio, sys
from pathlib import Path
from tracking.collect.durable import DurableWriter
from tracking.log import open_log
from tracking.collect.spool import Spool

async def main():
    writer = DurableWriter(open_log(sys.argv[1]).writer(), Spool(Path(sys.argv[2]), max_bytes=50_000_000))
    await writer.start()
    async def client(name):
        for number in range(10_000):
            outcome = await writer.append(b"user-%d" % name, b"%d %d" % (name, number))
            sys.stdout.write(f"{name} {number} {outcome}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(client(name) for name in range(8)))

asyncio.run(main())
"""


async def test_kill_9_of_a_sender_while_the_broker_is_down_loses_nothing_that_was_promised(server, log, tmp_path: Path):
    url = (
        f"{server.url}?stream=faults&partitions={PARTITIONS}"
        if isinstance(server, RedisServer)
        else f"kafka://{server.bootstrap}/faults?partitions={PARTITIONS}"
    )
    arguments = [sys.executable, "-c", KEEP_SENDING, url, str(tmp_path)]
    sender = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert sender.stdout is not None
    promised: list[str] = []
    outcomes: set[str] = set()
    is_frozen = False
    while len(promised) < 2_500:
        name, number, outcome = (await sender.stdout.readline()).decode().split()
        promised.append(f"{name} {number}")
        outcomes.add(outcome)
        if len(promised) > 500 and "log" in outcomes and not is_frozen:
            server.freeze()
            is_frozen = True
    sender.kill()
    rest = (await sender.stdout.read()).decode().splitlines(keepends=True)
    promised += [" ".join(line.split()[:2]) for line in rest if line.endswith("\n")]
    await sender.wait()
    if is_frozen:
        server.thaw()
    assert "spool" in outcomes

    heir = DurableWriter(log.writer(), Spool(tmp_path, max_bytes=50_000_000))
    await heir.start()
    assert await heir._log.wait_ready(timeout_s=PATIENCE_S)
    assert await heir.flush(timeout_s=PATIENCE_S)
    await heir.close()
    assert set(promised) <= {value.decode() for _, value in read_all(log)}
