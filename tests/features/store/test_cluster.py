"""States on a real Redis Cluster of three nodes: one slot a partition, the same meaning as on a single server."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import redis

from features.exceptions import StoreUnavailable
from features.segments.scoring import compute_segments
from features.store.reader import OnlineReader
from tests.features.conftest import World
from tests.features.stream.test_on_call import running
from tests.features.test_faults import clean_run
from tests.features.traffic import traffic
from tests.services.process import find_program
from tests.services.redis_server import RedisServer, port_with_bus
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.redis, pytest.mark.slow]
Worlds = Callable[..., World]


@pytest.fixture
def nodes(own_server: Any) -> list[RedisServer]:
    """Start three nodes that share the slots."""
    find_program("redis-cli", "apt install redis-tools", "redis-cli")
    nodes = [own_server(ClusterNode) for _ in range(3)]
    addresses = [f"127.0.0.1:{node.port}" for node in nodes]
    subprocess.run(
        ["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for address in addresses:
        _wait_until_whole(address)
    return nodes


@pytest.fixture
def cluster_url(nodes: list[RedisServer]) -> str:
    """Return the URL of the Cluster."""
    return f"redis+cluster://127.0.0.1:{nodes[0].port}"


class ClusterNode(RedisServer):
    """One master of a cluster."""

    def __init__(self) -> None:
        super().__init__(
            "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--databases", "1", "--appendfsync", "always"
        )
        self.port = port_with_bus()


def _wait_until_whole(address: str) -> None:
    host, _, port = address.partition(":")

    def is_whole() -> bool:
        answer = subprocess.run(
            ["redis-cli", "-h", host, "-p", port, "cluster", "info"],
            check=True, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        return "cluster_state:ok" in answer.stdout and "cluster_known_nodes:3" in answer.stdout

    wait_until(is_whole, f"the nodes of the cluster at {address} to know each other")


def test_a_cluster_holds_the_same_states(worlds: Worlds, cluster_url: str) -> None:
    records = traffic(3_000)
    clean = clean_run(worlds, records)
    world = worlds("memory", redis_url=cluster_url, partitions=4)
    world.fill(records)

    world.drain()

    assert world.ledger() == clean.ledger()
    assert world.hash() == clean.hash()
    assert compute_segments(world.client, "shop", partitions=4, ttl_s=600).users > 0
    used = {world.client.keyslot(f"rs:{{p{partition}}}:x") for partition in range(4)}  # type: ignore[attr-defined]
    assert len(used) == 4


async def test_a_user_is_read_from_several_nodes(worlds: Worlds, cluster_url: str) -> None:
    world = worlds("memory", redis_url=cluster_url, partitions=4)
    await asyncio.to_thread(world.fill, traffic(1_000, users=20))
    await asyncio.to_thread(world.drain)
    reader = OnlineReader(cluster_url, partitions=4, timeout_s=5.0)

    found = await reader.read_user("shop", user_id="user5", anonymous_id="anonymous-0000000003")
    await reader.close()

    assert found.is_known
    assert found.recents


def test_a_slot_that_moves_to_another_node_only_delays(
    worlds: Worlds, cluster_url: str, nodes: list[RedisServer]
) -> None:
    records = traffic(6_000)
    clean = clean_run(worlds, records)
    world = worlds("memory", redis_url=cluster_url, partitions=4)
    world.batch_records = 40
    world.fill(records)
    slot = world.client.keyslot("rs:{p1}:x")  # type: ignore[attr-defined]
    clients = [redis.Redis(port=node.port, socket_timeout=10) for node in nodes]
    ids = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
    owner = ids.index(_owner_of(clients, slot))
    source, target = clients[owner], clients[(owner + 1) % 3]
    worker = world.worker()
    with running(worker):
        world.wait_for(lambda: worker.status.records > 500)
        target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner])
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[(owner + 1) % 3])
        _move_keys(source, target, slot, rounds=3)  # some are here, some there: multi-key commands get no answer
        world.wait_for(lambda: worker.status.is_paused)
        _move_keys(source, target, slot, rounds=10_000)
        for client in clients:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[(owner + 1) % 3])
        world.wait_for(lambda: _is_drained(world))

    assert _owner_of(clients, slot) == ids[(owner + 1) % 3]
    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


def test_a_node_that_is_killed_and_comes_back_only_delays(
    worlds: Worlds, cluster_url: str, nodes: list[RedisServer]
) -> None:
    records = traffic(6_000)
    clean = clean_run(worlds, records)
    world = worlds("memory", redis_url=cluster_url, partitions=4)
    world.batch_records = 40
    world.fill(records)
    worker = world.worker()
    with running(worker):
        world.wait_for(lambda: worker.status.records > 500)
        nodes[1].kill()
        world.wait_for(lambda: worker.status.is_paused)
        nodes[1].start()
        for node in nodes:
            _wait_until_whole(f"127.0.0.1:{node.port}")
        world.wait_for(lambda: _is_drained(world))

    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


def _is_drained(world: World) -> bool:
    try:
        return world.lag() == 0
    except (StoreUnavailable, redis.RedisError):
        return False


def _owner_of(clients: list[redis.Redis], slot: int) -> str:
    for first, last, (_, _, node_id, *_), *_ in clients[0].execute_command("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return str(node_id.decode() if isinstance(node_id, bytes) else node_id)
    raise AssertionError(f"nobody holds slot {slot}")


def _move_keys(source: redis.Redis, target: redis.Redis, slot: int, *, rounds: int) -> None:
    port = target.connection_pool.connection_kwargs["port"]
    for _ in range(rounds):
        names = source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 50)
        if not names:
            return
        source.execute_command("MIGRATE", "127.0.0.1", port, "", 0, 5_000, "KEYS", *names)
