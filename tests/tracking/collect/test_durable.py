"""Durable appends over the twin in memory: what is answered, in which order, and how the spool is left again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.waiting import DEADLINE_S, wait_until_async
from tracking.collect.durable import DurableWriter
from tracking.collect.spool import Spool
from tracking.exceptions import LogUnavailable, SpoolFull
from tracking.log import RecordTooLarge
from tracking.log.memory import MemoryLog

WAIT_S = 0.05


@pytest.fixture
def log():
    yield MemoryLog(name="durable", partitions=2)
    MemoryLog.forget_all()


@pytest.fixture
async def writer(log, tmp_path: Path):
    writer = DurableWriter(log.writer(), Spool(tmp_path, max_bytes=1_000_000), wait_s=WAIT_S)
    await writer.start()
    yield writer
    await writer.close()


def values(log: MemoryLog) -> list[bytes]:
    return [record.value for partition in range(2) for record in log.read_range(partition, limit=100_000)]


async def test_a_record_goes_to_the_log_when_it_answers(log, writer):
    assert await writer.append(b"k", b"v") == "log"
    assert values(log) == [b"v"]
    assert writer._spool.size_bytes == 0


async def test_a_log_that_fails_is_replaced_by_the_spool_at_once(log, writer):
    log.fail_with(LogUnavailable("down"))
    started = time.monotonic()
    assert await writer.append(b"k", b"v") == "spool"
    assert time.monotonic() - started < 5  # once, not again and again
    assert writer._spool.size_bytes > 0
    assert values(log) == []


@pytest.mark.slow
async def test_a_frozen_log_costs_the_waiting_time_once_and_later_records_nothing(log, writer):
    log.hold(True)
    started = time.monotonic()
    assert await writer.append(b"k", b"0") == "spool"
    assert time.monotonic() - started >= WAIT_S
    assert writer._is_spooling
    assert [await writer.append(b"k", b"%d" % number) for number in range(1, 20)] == ["spool"] * 19

    log.hold(False)
    assert await writer.flush(timeout_s=10)
    assert values(log) == [b"%d" % number for number in range(20)]


async def test_records_behind_spooled_ones_keep_their_order_when_the_log_is_back(log, writer):
    log.fail_with(LogUnavailable("down"))
    for number in range(50):
        await writer.append(b"k", b"%d" % number)
    log.fail_with(None)
    for number in range(50, 300):
        await writer.append(b"k", b"%d" % number)
    assert await writer.flush(timeout_s=10)
    assert values(log) == [b"%d" % number for number in range(300)]


async def test_the_spool_is_left_again_under_steady_load(log, writer):
    log.fail_with(LogUnavailable("down"))
    await writer.append(b"k", b"first")
    log.fail_with(None)

    outcomes = []
    give_up_at = time.monotonic() + 10
    while "log" not in outcomes:
        assert time.monotonic() < give_up_at, "still spooling"
        outcomes += await asyncio.gather(*(writer.append(b"k%d" % number, b"v") for number in range(20)))
    assert not writer._is_spooling


async def test_the_drain_does_not_wait_for_a_pause_of_those_who_send(log, writer, monkeypatch):
    written = writer._spool.append_many

    def slowly(records: Any) -> Any:
        time.sleep(0.02)  # sleep: a slow disk
        return written(records)

    monkeypatch.setattr(writer._spool, "append_many", slowly)
    log.fail_with(LogUnavailable("down"))
    outcomes: list[str] = []

    async def client(name: int) -> None:
        await asyncio.sleep(0.005 * name)  # sleep: so that there is always a client who waits for the disk
        while "log" not in outcomes:
            outcomes.append(await writer.append(b"k%d" % name, b"v"))

    clients = asyncio.gather(*(client(number) for number in range(8)))
    await wait_until_async(lambda: outcomes.count("spool") >= 16, "records on the disk")
    log.fail_with(None)
    await asyncio.wait_for(clients, DEADLINE_S)


async def test_every_answer_is_true_while_the_log_comes_and_goes(log, writer):
    promised: list[bytes] = []

    async def client(name: int) -> None:
        for number in range(100):
            value = b"%d-%d" % (name, number)
            await writer.append(b"user-%d" % name, value)
            promised.append(value)

    async def weather() -> None:
        for number in range(20):
            log.fail_with(LogUnavailable("down") if number % 2 else None)
            await asyncio.sleep(0.01)  # sleep: how long the log stays so
        log.fail_with(None)

    await asyncio.gather(weather(), *(client(name) for name in range(10)))
    assert await writer.flush(timeout_s=20)

    found = values(log)
    assert set(found) == set(promised)
    assert len(promised) == 1_000
    for name in range(10):
        mine = [value for value in dict.fromkeys(found) if value.startswith(b"%d-" % name)]
        assert mine == [b"%d-%d" % (name, number) for number in range(100)]


async def test_a_call_with_many_records_is_answered_one_by_one(log, writer):
    log.fail_with(LogUnavailable("down"))
    outcomes = await writer.append_many([(b"a", b"1"), (b"b", b"2")])
    assert outcomes == ["spool", "spool"]

    log.fail_with(None)
    assert await writer.flush(timeout_s=10)
    outcomes = await writer.append_many([(b"a", b"3"), (b"b", b"x" * 2_000_000)])
    assert outcomes[0] == "log"
    assert isinstance(outcomes[1], RecordTooLarge)
    assert sorted(values(log)) == [b"1", b"2", b"3"]


async def test_a_full_spool_is_an_error_and_never_a_promise(log, tmp_path):
    writer = DurableWriter(log.writer(), Spool(tmp_path / "small", max_bytes=600), wait_s=WAIT_S)
    await writer.start()
    log.fail_with(LogUnavailable("down"))
    promised = refused = 0
    for _ in range(20):
        try:
            await writer.append(b"k", b"x" * 50)
            promised += 1
        except SpoolFull:
            refused += 1
    assert (promised > 0, refused > 0) == (True, True)

    log.fail_with(None)
    assert await writer.flush(timeout_s=10)
    assert len(values(log)) == promised
    assert await writer.append(b"k", b"again") == "log"
    await writer.close()


async def test_what_is_left_at_the_end_is_sent_by_the_next_process(log, tmp_path):
    root = tmp_path / "shared"
    first = DurableWriter(log.writer(), Spool(root, max_bytes=1_000_000), wait_s=WAIT_S)
    await first.start()
    log.fail_with(LogUnavailable("down"))
    for number in range(10):
        await first.append(b"k", b"%d" % number)
    await first.close(timeout_s=0.2)
    log.fail_with(None)

    second = DurableWriter(log.writer(), Spool(root, max_bytes=1_000_000), wait_s=WAIT_S)
    await second.start()
    assert await second.flush(timeout_s=10)
    assert values(log) == [b"%d" % number for number in range(10)]
    await second.close()
    assert list(root.iterdir()) == []


async def test_a_caller_that_goes_away_leaves_no_trouble_behind(log, writer):
    log.hold(True)
    impatient = asyncio.create_task(writer.append(b"k", b"gone"))
    for _ in range(10):
        await asyncio.sleep(0)  # the append is on its way
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    log.hold(False)
    assert await writer.append(b"k", b"stays") == "log"


async def test_appending_after_the_end_says_so(log, tmp_path):
    writer = DurableWriter(log.writer(), Spool(tmp_path / "x", max_bytes=1_000), wait_s=WAIT_S)
    with pytest.raises(RuntimeError, match=r"await start\(\) first"):
        await writer.append(b"k", b"v")
    await writer.start()
    await writer.close()
    with pytest.raises(RuntimeError, match=r"nothing after close\(\)"):
        await writer.append(b"k", b"v")
