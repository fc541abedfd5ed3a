"""The contract of the event log, on the twin in memory, a real Redis and a real Kafka broker."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.services.remade_topics import make_again
from tests.services.waiting import wait_until
from tracking.log import (
    BEGINNING,
    EventLog,
    ForeignPosition,
    LogReader,
    Position,
    Record,
    RecordTooLarge,
    open_log,
    partition_for,
)
from tracking.log.memory import MemoryLog

PATIENCE_S = 60.0
BACKENDS = [
    pytest.param("memory"),
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("redis_cluster", marks=pytest.mark.redis),
    pytest.param("kafka", marks=pytest.mark.kafka),
]


def log_url(backend: str, request: pytest.FixtureRequest, *, partitions: int) -> str:
    topic = f"t-{uuid.uuid4().hex}"
    if backend == "memory":
        return f"memory://{topic}?partitions={partitions}"
    if backend.startswith("redis"):
        return f"{request.getfixturevalue(f'{backend}_url')}?stream={topic}&partitions={partitions}&keep_records=1"
    return f"kafka://{request.getfixturevalue('kafka_bootstrap')}/{topic}?partitions={partitions}"


@pytest.fixture(params=BACKENDS)
def event_log(request: pytest.FixtureRequest) -> Iterator[EventLog]:
    log = open_log(log_url(request.param, request, partitions=4))
    log.ensure_topic(timeout_s=PATIENCE_S)
    yield log
    MemoryLog.forget_all()


async def append_all(log: EventLog, records: list[tuple[bytes, bytes]]) -> None:
    writer = log.writer()
    await writer.start()
    assert await writer.wait_ready(timeout_s=PATIENCE_S), "the writer never connected"
    try:
        outcomes = await writer.append_many(records, timeout_s=PATIENCE_S)
    finally:
        await writer.close()
    assert outcomes == [None] * len(records)


def numbered(count: int, *, users: int = 20) -> list[tuple[bytes, bytes]]:
    return [(f"user-{index % users}".encode(), str(index).encode()) for index in range(count)]


class Worker:
    """A reader together with what its caller stores: positions and values, by partition."""

    def __init__(self, log: EventLog, group: str, stored: dict[int, Position] | None = None) -> None:
        self.stored = {} if stored is None else stored
        self.seen: list[Record] = []
        self.revoked: set[int] = set()
        self.reader: LogReader = log.reader(group, on_assigned=self._positions, on_revoked=self._revoke)

    def _positions(self, partitions: frozenset[int]) -> Mapping[int, Position]:
        return {partition: self.stored[partition] for partition in partitions if partition in self.stored}

    def _revoke(self, partitions: frozenset[int]) -> None:
        self.revoked |= partitions

    def work(self, max_records: int = 500) -> None:
        for partition, records in self.reader.poll(0.05, max_records).items():
            self.seen.extend(records)
            self.stored[partition] = records[-1].position

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Work in a thread of its own, as each worker does."""
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                self.work()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def work_until(self, is_done: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while not is_done():
            assert time.monotonic() < give_up_at, f"not done in {PATIENCE_S} s: {len(self.seen)} records seen"
            self.work()


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(log: EventLog, group: str, stored: dict[int, Position] | None = None) -> Worker:
        workers.append(Worker(log, group, stored))
        return workers[-1]

    yield start
    for worker in workers:
        worker.reader.close()


async def test_every_record_is_read_once_and_in_order_of_its_key(event_log, start_worker):
    sent = numbered(500)
    await append_all(event_log, sent)
    worker = start_worker(event_log, "group")

    worker.work_until(lambda: len(worker.seen) >= len(sent))

    assert sorted((record.key, record.value) for record in worker.seen) == sorted(sent)
    for key in {key for key, _ in sent}:
        assert [r.value for r in worker.seen if r.key == key] == [value for k, value in sent if k == key]


@pytest.mark.slow
async def test_a_record_is_in_the_partition_that_any_kafka_client_would_choose(event_log, start_worker):
    await append_all(event_log, numbered(40))
    worker = start_worker(event_log, "group")

    worker.work_until(lambda: len(worker.seen) >= 40)

    assert {record.partition for record in worker.seen} == {0, 1, 2, 3}
    assert all(record.partition == partition_for(record.key, 4) for record in worker.seen)


async def test_records_carry_bytes_unchanged_and_the_time_of_their_append(event_log, start_worker):
    started_ms = time.time_ns() // 1_000_000
    value = bytes(range(256)) * 40
    await append_all(event_log, [(b"\x00\xff key", value)])
    worker = start_worker(event_log, "group")

    worker.work_until(lambda: bool(worker.seen))

    record = worker.seen[0]
    assert (record.key, record.value) == (b"\x00\xff key", value)
    assert started_ms - 1_000 <= record.timestamp_ms <= time.time_ns() // 1_000_000 + 1_000


async def test_a_new_reader_goes_on_after_the_stored_position_of_each_partition(event_log, start_worker):
    await append_all(event_log, numbered(200))
    first = start_worker(event_log, "group")
    first.work_until(lambda: len(first.seen) >= 200)
    first.reader.close()
    await append_all(event_log, [(key, b"later-" + value) for key, value in numbered(100)])

    second = start_worker(event_log, "group", first.stored)
    second.work_until(lambda: len(second.seen) >= 100)
    second.work()

    assert len(second.seen) == 100
    assert all(record.value.startswith(b"later-") for record in second.seen)


async def test_positions_of_single_records_are_exact(event_log, start_worker):
    await append_all(event_log, [(b"one user", str(index).encode()) for index in range(10)])
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: len(worker.seen) >= 10)
    partition = worker.seen[0].partition

    for index, record in enumerate(worker.seen[:-1]):
        following = event_log.read_range(partition, start=record.position, limit=1)
        assert [r.value for r in following] == [str(index + 1).encode()]
    assert event_log.end_positions()[partition] == worker.seen[-1].position


async def test_seeking_back_reads_the_records_again(event_log, start_worker):
    await append_all(event_log, [(b"one user", str(index).encode()) for index in range(5)])
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: len(worker.seen) >= 5)
    third = worker.seen[2]

    worker.reader.seek(third.partition, third.position)
    worker.work_until(lambda: len(worker.seen) >= 7)

    assert [record.value for record in worker.seen[5:]] == [b"3", b"4"]


def test_seeking_in_a_partition_of_others_is_refused(event_log, start_worker):
    worker = start_worker(event_log, "group")
    with pytest.raises(ValueError, match="partition 3 is not assigned"):
        worker.reader.seek(3, "")


async def test_a_second_reader_gets_its_share_and_nothing_is_read_by_both(event_log, start_worker):
    stored: dict[int, Position] = {}
    first = start_worker(event_log, "group", stored)
    first.work_until(lambda: len(first.reader.assignment()) == 4)
    second = start_worker(event_log, "group", stored)
    with second.at_work():
        first.work_until(lambda: len(first.reader.assignment()) == len(second.reader.assignment()) == 2)
        await append_all(event_log, numbered(200))
        first.work_until(lambda: len(first.seen) + len(second.seen) >= 200)

    assert first.revoked == second.reader.assignment()
    assert first.reader.assignment() | second.reader.assignment() == {0, 1, 2, 3}
    assert len(first.seen) + len(second.seen) == 200
    assert {r.partition for r in first.seen} == first.reader.assignment()


async def test_a_closed_reader_hands_its_partitions_on(event_log, start_worker):
    stored: dict[int, Position] = {}
    first, second = start_worker(event_log, "group", stored), start_worker(event_log, "group", stored)
    with first.at_work():
        second.work_until(lambda: len(first.reader.assignment()) == len(second.reader.assignment()) == 2)
    handed_on = first.reader.assignment()
    first.reader.close()

    second.work_until(lambda: len(second.reader.assignment()) == 4)
    assert handed_on <= first.revoked
    assert first.reader.assignment() == frozenset()


async def test_two_groups_each_read_everything(event_log, start_worker):
    await append_all(event_log, numbered(50))
    for group in ("features", "archive"):
        worker = start_worker(event_log, group)
        worker.work_until(lambda worker=worker: len(worker.seen) >= 50)
        assert len(worker.seen) == 50


async def test_a_caller_that_cannot_name_positions_is_asked_again_and_reads_nothing_before(event_log):
    await append_all(event_log, numbered(40))
    answers: list[Mapping[int, Position] | Exception] = [RuntimeError("store is unavailable")] * 3

    def positions(partitions: frozenset[int]) -> Mapping[int, Position]:
        if answers:
            raise answers.pop()
        return {}

    reader = event_log.reader("group", on_assigned=positions, on_revoked=lambda _: None)
    seen, failures, give_up_at = 0, 0, time.monotonic() + PATIENCE_S
    try:
        while seen < 40:
            assert time.monotonic() < give_up_at
            try:
                seen += sum(map(len, reader.poll(0.05, 100).values()))
            except RuntimeError:
                assert seen == 0
                failures += 1
    finally:
        reader.close()
    assert failures == 3


@pytest.mark.slow
async def test_a_paused_reader_keeps_its_partitions_and_reads_nothing(event_log, start_worker):
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: len(worker.reader.assignment()) == 4)
    worker.reader.pause()
    await append_all(event_log, numbered(40))
    for _ in range(10):
        worker.work()
    assert worker.seen == []
    assert len(worker.reader.assignment()) == 4

    worker.reader.resume()
    worker.work_until(lambda: len(worker.seen) >= 40)


async def test_lag_counts_the_unread_records_of_each_partition(event_log, start_worker):
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: len(worker.reader.assignment()) == 4)
    worker.reader.pause()
    sent = numbered(60)
    await append_all(event_log, sent)

    unread = dict.fromkeys(range(4), 0)
    for key, _ in sent:
        unread[partition_for(key, 4)] += 1
    assert worker.reader.lag() == unread

    worker.reader.resume()
    worker.work_until(lambda: len(worker.seen) >= 60)
    assert worker.reader.lag() == dict.fromkeys(range(4), 0)


async def test_commits_are_accepted_for_assigned_and_ignored_for_other_partitions(event_log, start_worker):
    await append_all(event_log, numbered(20))
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: len(worker.seen) >= 20)
    worker.reader.commit(worker.stored)
    worker.reader.commit({99: "5"})
    worker.reader.commit({0: ""})
    worker.work()


async def test_a_poll_returns_no_more_than_asked_for_from_a_partition(event_log, start_worker):
    await append_all(event_log, [(b"one user", str(index).encode()) for index in range(100)])
    worker = start_worker(event_log, "group")
    give_up_at = time.monotonic() + PATIENCE_S
    while len(worker.seen) < 100:
        assert time.monotonic() < give_up_at
        before = len(worker.seen)
        worker.work(max_records=8)
        assert len(worker.seen) - before <= 8
    assert [record.value for record in worker.seen] == [str(index).encode() for index in range(100)]


async def test_an_oversize_record_is_refused_and_the_rest_of_the_call_is_kept(event_log, start_worker):
    writer = event_log.writer()
    await writer.start()
    assert await writer.wait_ready(timeout_s=PATIENCE_S)
    outcomes = await writer.append_many([(b"a", b"1"), (b"a", b"x" * 1_000_001), (b"a", b"2")], timeout_s=PATIENCE_S)
    await writer.close()

    assert [type(outcome) for outcome in outcomes] == [type(None), RecordTooLarge, type(None)]
    assert "1000002 bytes" in str(outcomes[1])
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: len(worker.seen) >= 2)
    assert [record.value for record in worker.seen] == [b"1", b"2"]


async def test_the_largest_record_passes(event_log, start_worker):
    value = b"x" * (1_000_000 - 1)
    await append_all(event_log, [(b"k", value)])
    worker = start_worker(event_log, "group")
    worker.work_until(lambda: bool(worker.seen))
    assert worker.seen[0].value == value


async def test_ranges_are_read_in_chunks_without_a_group(event_log):
    await append_all(event_log, [(b"one user", str(index).encode()) for index in range(25)])
    partition = partition_for(b"one user", 4)

    assert [r.value for r in event_log.read_range(partition, limit=3)] == [b"0", b"1", b"2"]
    assert len(list(event_log.read_all(partition, chunk=10))) == 25
    assert event_log.read_range((partition + 1) % 4) == []


async def test_what_is_behind_a_position_is_counted_without_a_reader(event_log):
    await append_all(event_log, [(b"one user", str(index).encode()) for index in range(25)])
    partition = partition_for(b"one user", 4)
    tenth = event_log.read_range(partition, limit=10)[-1].position

    assert event_log.behind({partition: tenth, (partition + 1) % 4: ""}) == {partition: 15, (partition + 1) % 4: 0}
    assert event_log.behind({partition: ""}) == {partition: 25}
    assert event_log.behind(event_log.end_positions()) == dict.fromkeys(range(4), 0)


async def test_a_sibling_topic_is_apart(event_log):
    sibling = event_log.sibling("dead")
    sibling.ensure_topic(timeout_s=PATIENCE_S)
    await append_all(sibling, [(b"k", b"v")])

    assert sibling.topic == f"{event_log.topic}.dead"
    assert sum(len(sibling.read_range(partition)) for partition in range(4)) == 1
    assert sum(len(event_log.read_range(partition)) for partition in range(4)) == 0


async def test_closing_a_writer_waits_for_what_is_on_its_way(event_log):
    writer = event_log.writer()
    await writer.start()
    assert await writer.wait_ready(timeout_s=PATIENCE_S)
    appends = [asyncio.create_task(writer.append(b"k", b"v", timeout_s=PATIENCE_S)) for _ in range(50)]
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*appends)

    assert len(event_log.read_range(partition_for(b"k", 4))) == 50


def test_the_topic_is_made_once_and_its_number_of_partitions_stays(event_log):
    assert event_log.ensure_topic(timeout_s=PATIENCE_S) == 4
    assert event_log.ensure_topic(timeout_s=PATIENCE_S) == 4


def refusals(worker: Worker) -> dict[int, str]:
    worker.work()
    return {partition: str(error) for partition, error in worker.reader.refused().items()}


@pytest.mark.expects_errors(r"log\.position_foreign")
@pytest.mark.parametrize("more", [-100, 0, 300])
async def test_a_topic_that_was_made_again_is_refused_and_nothing_of_it_is_skipped(event_log, start_worker, more):
    """Shorter than the old position, as long, or longer; for a reader at work, and for a new one."""
    old = numbered(200, users=1)
    partition = partition_for(old[0][0], 4)
    await append_all(event_log, old)
    at_work = start_worker(event_log, "at-work")
    at_work.work_until(lambda: len(at_work.seen) == 200)
    stored = dict(at_work.stored)

    make_again(event_log)
    new = [(key, b"new " + value) for key, value in numbered(200 + more, users=1)]
    await append_all(event_log, new)
    later = start_worker(event_log, "later", dict(stored))

    for worker, n_seen in ((at_work, 200), (later, 0)):
        wait_until(lambda worker=worker: partition in refusals(worker), within_s=PATIENCE_S)
        assert "deleted and made again" in refusals(worker)[partition]
        assert partition in worker.reader.assignment()
        assert worker.stored[partition] == stored[partition]
        assert len(worker.seen) == n_seen
    with pytest.raises(ForeignPosition, match="deleted and made again"):
        event_log.read_range(partition, start=stored[partition])
    with pytest.raises(ForeignPosition, match="deleted and made again"):
        event_log.behind({partition: stored[partition]})

    for worker, n_seen in ((at_work, 200), (later, 0)):
        worker.reader.seek(partition, BEGINNING)
        worker.work_until(lambda worker=worker, n_seen=n_seen: len(worker.seen) >= n_seen + len(new))
        assert [record.value for record in worker.seen[n_seen:]] == [value for _, value in new]
        assert worker.reader.refused() == {}
        assert event_log.behind({partition: worker.stored[partition]}) == {partition: 0}


@pytest.mark.expects_errors(r"log\.position_foreign")
async def test_a_log_that_ends_before_the_position_is_refused_and_the_others_go_on(event_log, start_worker):
    await append_all(event_log, numbered(40))
    offset, _, identity = event_log.end_positions()[2].partition("@")
    number, dash, rest = offset.partition("-")
    beyond = f"{int(number) + 5}{dash}{rest}@{identity}"
    others = sum(len(event_log.read_range(partition)) for partition in (0, 1, 3))
    worker = start_worker(event_log, "group", {2: beyond})

    worker.work_until(lambda: len(worker.seen) >= others and 2 in worker.reader.refused())

    assert {record.partition for record in worker.seen} == {0, 1, 3}
    assert "it ends at" in str(worker.reader.refused()[2])
    with pytest.raises(ForeignPosition, match="it ends at"):
        event_log.read_range(2, start=beyond)


async def test_a_position_of_version_0_1_is_read_and_adopted(event_log, start_worker):
    await append_all(event_log, numbered(40))
    ends = event_log.end_positions()
    tenth = {partition: event_log.read_range(partition, limit=3)[-1].position for partition in range(4)}
    old = {partition: position.partition("@")[0] for partition, position in tenth.items()}

    assert event_log.adopt(old) == tenth
    assert event_log.adopt({**tenth, 0: BEGINNING}) == {}
    worker = start_worker(event_log, "group", dict(old))
    worker.work_until(lambda: len(worker.seen) >= 40 - 12)

    assert worker.stored == ends
    assert all("@" in position for position in ends.values())
