"""How full Redis is, by its own limit or its machine's; of a cluster, the fullest node counts."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from prometheus_client import REGISTRY

from features.exceptions import StoreUnavailable
from features.store.memory import HIGH, LOW, MemoryWatermark, NodeMemory, read_memory
from tests.services.redis_server import RedisServer
from tracking.redis_client import connect


class Cluster:
    """Answers as redis-py's cluster client does: a mapping by node."""

    def __init__(self, **nodes: dict[str, int]) -> None:
        self._nodes = nodes

    def info(self, section: str) -> dict[str, Any]:
        assert section == "memory"
        return dict(self._nodes)


@pytest.mark.redis
def test_the_limit_is_that_of_redis_and_the_share_grows_with_what_is_in_it() -> None:
    with RedisServer() as server, connect(server.url, timeout_s=5) as client:
        without_limit = read_memory(client)
        client.config_set("maxmemory", 64 * 2**20)
        before = read_memory(client)
        client.set("large", b"x" * 16 * 2**20)
        after = read_memory(client)
        MemoryWatermark().look(client)

    assert without_limit.limit > 64 * 2**20  # of the machine
    assert before.limit == after.limit == 64 * 2**20
    assert after.share > before.share + 0.2
    assert abs((REGISTRY.get_sample_value("recsite_redis_memory_bytes") or 0) - after.used) < 2**20
    assert REGISTRY.get_sample_value("recsite_redis_memory_limit_bytes") == after.limit


def test_of_a_cluster_the_fullest_node_counts() -> None:
    cluster: Any = Cluster(a={"used_memory": 90, "maxmemory": 100}, b={"used_memory": 500, "maxmemory": 1_000})

    assert read_memory(cluster) == NodeMemory(90, 100)


def test_without_any_limit_there_is_no_share() -> None:
    assert NodeMemory(10, 0).share == 0.0


def test_an_unavailable_redis_is_said() -> None:
    client = redis.Redis.from_url("redis://127.0.0.1:1/0")
    with client:
        with pytest.raises(StoreUnavailable, match="memory"):
            read_memory(client)
        MemoryWatermark().look(client)  # a worker goes on


def test_the_watermark_has_a_high_and_a_low_side() -> None:
    watermark = MemoryWatermark()
    seen = []
    for used in (LOW, HIGH - 0.01, HIGH, LOW + 0.01, LOW - 0.01, HIGH - 0.01):
        node: Any = Cluster(a={"used_memory": round(used * 1_000), "maxmemory": 1_000})
        watermark.look(node)
        seen.append(watermark.is_above)

    assert seen == [False, False, True, True, False, False]
