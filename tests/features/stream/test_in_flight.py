"""What a worker has sent without an acknowledgement yet: in flight while it is behind, never lost, never doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from features import keys
from features.exceptions import Fenced, StoreUnavailable
from features.store.online import Batch, Changes
from features.stream.loop import StreamWorker
from tests.features.conftest import World
from tests.features.test_faults import clean_run
from tests.features.traffic import traffic
from tracking.log import LogUnavailable
from tracking.log.redis_reader import RedisStreamsReader

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]


@pytest.fixture
def behind(worlds: Worlds) -> tuple[World, World, StreamWorker]:
    """A clean run, a world whose worker is behind, and the worker, with batches in flight in all partitions."""
    records = traffic(2_000)
    world = worlds("redis")
    world.batch_records = 40
    world.fill(records)
    worker = world.worker()
    for _ in range(50):
        if len(worker._in_flight) == world.log.partitions:
            break
        worker.step(0.1)
    else:
        raise AssertionError(f"never in flight in all partitions: {worker.status}")
    return clean_run(worlds, records), world, worker


def test_the_last_batches_are_acknowledged_before_a_worker_leaves(behind: tuple[World, World, StreamWorker]) -> None:
    _, world, worker = behind
    counted = worker.status.records

    worker.close()

    assert worker.status.records == world.records_applied() > counted
    assert world.changed[-1]["shop"]


def test_a_partition_that_is_taken_away_is_handed_over_acknowledged(behind: tuple[World, World, StreamWorker]) -> None:
    clean, world, worker = behind
    handed_over = worker._in_flight[0]

    worker._on_revoked(frozenset({handed_over.partition}))

    stored = world.store.positions([handed_over.partition])
    assert stored == {handed_over.partition: handed_over.next_position}
    assert handed_over.partition not in worker.status.positions
    worker.close()
    world.drain()
    assert world.hash() == clean.hash()


def test_writes_that_another_worker_forestalled_are_repeated(behind: tuple[World, World, StreamWorker]) -> None:
    clean, world, worker = behind
    records = sum(len(batch.parsed.records) for batch in worker._in_flight)
    for batch in worker._in_flight:
        batch.wait_acknowledged()  # by somebody else, as far as the worker knows
        batch.wait_acknowledged = lambda partition=batch.partition: _fenced(partition)  # type: ignore[method-assign]

    world.drain(worker)
    worker.close()

    assert worker.status.fenced == 4
    assert worker.status.records == world.records_applied() - records
    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


def _fenced(partition: int) -> None:
    raise Fenced(partition, expected="", found="(changed meanwhile)")


def test_whoever_touches_the_position_refuses_what_is_read_already(worlds: Worlds) -> None:
    world = worlds("memory")
    key = keys.position(0, world.log_name)
    with world.store.batch(0) as batch:
        batch.request(expected="", users=[])
        batch.read()
        world.client.set(key, "")  # the same value: a touch, as erasing a user does
        batch.send(Changes(next_position="1", progress=b""))
        with pytest.raises(Fenced, match="changed meanwhile"):
            batch.wait_acknowledged()

    assert world.client.get(key) == b""


@pytest.mark.parametrize("failing", ["send", "wait_acknowledged"])
def test_what_became_of_a_write_is_looked_up(
    behind: tuple[World, World, StreamWorker], monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    clean, world, worker = behind
    wait_acknowledged = Batch.wait_acknowledged

    def lost(self: Batch, *args: object) -> None:
        if failing == "wait_acknowledged":
            wait_acknowledged(self)  # it was written, and only the answer got lost
        raise StoreUnavailable("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(Batch, failing, lost)
        with pytest.raises(StoreUnavailable, match="broke"):
            worker.step(0.0)
    world.drain(worker)
    worker.close()

    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


def test_no_record_is_skipped_when_log_and_store_fail_together(
    behind: tuple[World, World, StreamWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean, world, worker = behind

    def unavailable(*args: object, **kwargs: object) -> None:
        raise StoreUnavailable("Redis is unavailable")

    def no_seek(*args: object) -> None:
        raise LogUnavailable("and so is the log")

    with monkeypatch.context() as patch:
        patch.setattr(Batch, "request", unavailable)
        patch.setattr(RedisStreamsReader, "seek", no_seek)
        with pytest.raises(StoreUnavailable):
            worker.step(0.0)
        with pytest.raises(LogUnavailable):
            worker.step(0.0)
    world.drain(worker)
    worker.close()

    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()
