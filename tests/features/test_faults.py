"""What a worker survives, on real servers: nothing lost, nothing counted twice, states as after a clean run."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.features.conftest import World
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]

BACKENDS = [pytest.param("redis"), pytest.param("kafka", marks=pytest.mark.kafka)]
KILLS = 8
EVENTS = 20_000


def events_in(records: list[tuple[bytes, bytes]]) -> int:
    return sum(len(json.loads(value)["events"]) for _, value in records)


def clean_run(worlds: Worlds, records: list[tuple[bytes, bytes]]) -> World:
    world = worlds("memory")
    world.fill(records)
    world.drain()
    return world


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_killing_the_worker_loses_and_doubles_nothing(worlds: Worlds, backend: str) -> None:
    records = traffic(EVENTS)
    clean = clean_run(worlds, records)
    world = worlds(backend)
    world.batch_records = 100
    world.fill(records)
    rnd = random.Random(1)

    for kill in range(KILLS):
        before = world.records_applied()
        process = world.start()
        share = before + (len(records) - before) / (KILLS + 1 - kill) * rnd.uniform(0.5, 1.0)
        world.wait_for(lambda share=share: world.records_applied() >= share)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert world.lag() > 0, "all was done before the last kill; the test shows nothing"
    world.drain()

    assert world.ledger() == clean.ledger()
    assert sum(world.ledger().values()) == events_in(records)
    assert world.ledger()["duplicate"] > 0
    assert world.hash() == clean.hash()


def test_the_hash_notices_an_error_of_one(worlds: Worlds) -> None:
    records = traffic(2_000)
    clean = clean_run(worlds, records)

    short = worlds("memory")
    short.fill(records[:-1])
    short.drain()
    assert short.hash() != clean.hash()

    # Applying without the guard's position, as a worker that commits after it has written would do.
    double = worlds("memory")
    double.fill(records)
    worker = double.worker()
    while double.records_applied() == 0:
        worker.step(0.05)
    for partition in worker.status.positions:
        double.client.set(f"rs:{{p{partition}}}:position:{double.log_name}", "")
    for key in double.client.scan_iter("rs:*:profile:*"):
        double.client.delete(key)  # and with it the ids that were seen
    worker.close()
    double.drain()
    assert double.hash() != clean.hash()


@pytest.mark.parametrize("backend", BACKENDS)
def test_redelivered_batches_change_nothing(worlds: Worlds, backend: str) -> None:
    records = traffic(2_000)
    world = worlds(backend)
    world.fill(records)
    world.drain()
    once, ledger = world.hash(), world.ledger()

    worker = world.worker()
    while len(worker.status.positions) < world.log.partitions:
        worker.step(0.1)
    for partition in worker.status.positions:
        worker._reader.seek(partition, "")
    worker.step(0.5)
    world.drain(worker)
    worker.close()

    assert world.ledger()["applied"] == ledger["applied"]
    assert sum(world.ledger().values()) == 2 * sum(ledger.values())
    assert world.hash() == once


def test_a_zombie_is_fenced(worlds: Worlds) -> None:
    records = traffic(3_000)
    clean = clean_run(worlds, records)
    world = worlds("memory")
    world.fill(records)
    zombie, owner = world.worker(), World(world.log_url, world.redis_url).worker()
    while not zombie.status.batches:
        zombie.step(0.05)
    owner._reader._group = "another"  # so that both read all partitions, as after a re-balance nobody heard of
    world.drain(owner)

    for _ in range(50):
        zombie.step(0.0)

    assert zombie.status.fenced > 0
    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


@pytest.mark.slow
def test_a_redis_killed_in_mid_batch_comes_back(worlds: Worlds, own_server: Any) -> None:
    from tests.services.redis_server import RedisServer

    records = traffic(6_000)
    clean = clean_run(worlds, records)
    server = own_server(lambda: RedisServer("--appendfsync", "always"))
    world = worlds("memory", redis_url=server.url)
    world.batch_records = 50
    world.fill(records)
    stop = threading.Event()
    worker = world.worker()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        for share in (0.2, 0.5):
            world.wait_for(lambda share=share: worker.status.records > share * len(records))  # type: ignore[misc]
            server.kill()
            world.wait_for(lambda: worker.status.is_paused)
            server.start()
        world.wait_for(lambda: _lag_of(world) == 0)
    finally:
        stop.set()
        thread.join(10)

    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


def _lag_of(world: World) -> int:
    try:
        return world.lag()
    except Exception:
        return -1


@pytest.mark.slow
def test_a_frozen_redis_only_delays(worlds: Worlds, own_server: Any) -> None:
    from tests.services.redis_server import RedisServer

    records = traffic(3_000)
    clean = clean_run(worlds, records)
    server = own_server(RedisServer)
    world = worlds("memory", redis_url=server.url)
    world.batch_records = 50
    world.client.connection_pool.connection_kwargs["socket_timeout"] = 0.3
    world.fill(records)
    stop = threading.Event()
    worker = world.worker()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        world.wait_for(lambda: worker.status.records > 100)
        server.freeze()
        world.wait_for(lambda: worker.status.is_paused)
        server.thaw()
        world.wait_for(lambda: _lag_of(world) == 0)
    finally:
        stop.set()
        thread.join(10)

    assert world.hash() == clean.hash()


@pytest.mark.slow
@pytest.mark.kafka
def test_a_kafka_broker_that_stops_only_delays(worlds: Worlds, own_server: Any) -> None:
    from tests.services.kafka_server import KafkaServer

    records = traffic(4_000)
    clean = clean_run(worlds, records)
    server = own_server(KafkaServer)
    states = worlds("memory").redis_url
    world = World(f"kafka://{server.bootstrap}/faults?partitions=4", states)
    world.log.ensure_topic(timeout_s=30)
    world.batch_records = 50
    world.fill(records[: len(records) // 2])
    stop = threading.Event()
    worker = world.worker()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        world.wait_for(lambda: worker.status.records > 200)
        server.stop()
        time.sleep(2.0)  # sleep: how long the broker is gone
        server.start()
        world.fill(records[len(records) // 2 :])
        world.wait_for(lambda: world.records_applied() >= len(records))
    finally:
        stop.set()
        thread.join(20)

    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_that_join_and_leave(worlds: Worlds, backend: str) -> None:
    records = traffic(8_000)
    clean = clean_run(worlds, records)
    world = worlds(backend)
    world.batch_records = 40
    world.fill(records)
    stay = world.start()
    world.wait_for(lambda: world.records_applied() > 0)

    for _ in range(2):
        guest = world.start(is_heard=True)
        assert guest.stdout is not None
        assert any(b"stream.assigned" in line for line in guest.stdout), f"it ended with {guest.wait(20)}"
        guest.send_signal(signal.SIGTERM)
        guest.communicate(timeout=40)
        assert guest.returncode == 0
    world.fill(traffic(500, seed=9))
    world.wait_for(lambda: world.lag() == 0)
    stay.send_signal(signal.SIGTERM)

    assert stay.wait(40) == 0
    whole = clean_run(worlds, [*records, *traffic(500, seed=9)])
    assert world.ledger() == whole.ledger()
    assert clean.ledger() != whole.ledger()
    assert world.hash() == whole.hash()


@pytest.mark.parametrize("moment", ["spawned", "assigned"])
def test_a_worker_that_is_told_to_stop_while_it_starts_stops_cleanly(worlds: Worlds, moment: str) -> None:
    world = worlds("redis")
    world.fill(traffic(200))
    worker = world.start(is_heard=True)
    if moment == "assigned":
        assert worker.stdout is not None
        assert any(b"stream.assigned" in line for line in worker.stdout)

    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)

    assert worker.returncode == 0


def test_one_user_with_half_of_the_traffic(worlds: Worlds) -> None:
    records = traffic(10_000, hot=0.5, resent=0.05)
    world = clean_run(worlds, records)

    assert sum(world.ledger().values()) == events_in(records)
    profile_bytes = [len(world.client.get(key)) for key in world.client.scan_iter("rs:*:profile:*")]
    assert max(profile_bytes) <= 4_096
