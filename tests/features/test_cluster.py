"""States on a real Redis Cluster of three nodes: one slot a partition, the same meaning as on a single server."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from features.segments import compute_segments
from features.serving import OnlineReader
from tests.features.conftest import World
from tests.features.test_faults import clean_run
from tests.features.traffic import traffic
from tests.services.process import find_program
from tests.services.redis_server import RedisServer, port_with_bus

pytestmark = [pytest.mark.redis, pytest.mark.slow]
Worlds = Callable[..., World]


@pytest.fixture
def cluster_url(own_server: Any) -> str:
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
    return f"redis+cluster://{addresses[0]}"


class ClusterNode(RedisServer):
    """One master of a cluster."""

    def __init__(self) -> None:
        super().__init__("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--databases", "1")
        self.port = port_with_bus()


def _wait_until_whole(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(200):
        answer = subprocess.run(
            ["redis-cli", "-h", host, "-p", port, "cluster", "info"],
            check=True, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        if "cluster_state:ok" in answer.stdout and "cluster_known_nodes:3" in answer.stdout:
            return
        time.sleep(0.05)  # the nodes tell each other
    raise AssertionError(f"the cluster at {address} did not come up: {answer.stdout}")


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


async def test_a_shopper_is_read_from_several_nodes(worlds: Worlds, cluster_url: str) -> None:
    world = worlds("memory", redis_url=cluster_url, partitions=4)
    await asyncio.to_thread(world.fill, traffic(1_000, users=20))
    await asyncio.to_thread(world.drain)
    reader = OnlineReader(cluster_url, partitions=4, timeout_s=5.0)

    found = await reader.read_user("shop", user_id="user5", anonymous_id="anonymous-0000000003")
    await reader.close()

    assert found.is_known
    assert found.recents
