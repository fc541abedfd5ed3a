"""How full Redis is: of the nodes that hold features, the fullest, as a share of what it may use."""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

import redis

from features import metrics
from features.exceptions import StoreUnavailable

logger = logging.getLogger(__name__)

HIGH: Final = 0.9
LOW: Final = 0.85


class NodeMemory(NamedTuple):
    """Memory of one node in bytes; ``limit`` is ``maxmemory``, else what its machine has, else 0."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """Used by limit; 0 where no limit is known."""
        return self.used / self.limit if self.limit else 0.0


def read_memory(client: redis.Redis) -> NodeMemory:
    """Return the memory of the fullest node; one round trip a node.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    try:
        found: Any = client.info("memory")
    except redis.RedisError as error:  # also where Redis does not allow us to look
        raise StoreUnavailable(f"the memory of Redis cannot be read: {error}") from error
    # Of a cluster, INFO answers by node.
    nodes = [_node(info) for info in ([found] if "used_memory" in found else found.values())]
    return max(nodes, key=lambda node: (node.share, node.used))


class MemoryWatermark:
    """Says when Redis is so full that what is new and anonymous must wait, before everybody has to.

    ``is_above`` becomes true at ``HIGH`` of the memory, and false again below ``LOW``.
    """

    def __init__(self) -> None:
        self.is_above = False

    def look(self, client: redis.Redis) -> None:
        """Read the memory, and show it as a metric; where it cannot be read, everything stays what it was."""
        try:
            node = read_memory(client)
        except StoreUnavailable as error:
            logger.debug("memory.unreadable error=%s", error)
            return
        metrics.REDIS_MEMORY_BYTES.set(node.used)
        metrics.REDIS_MEMORY_LIMIT_BYTES.set(node.limit)
        was_above, self.is_above = self.is_above, node.share >= (LOW if self.is_above else HIGH)
        if self.is_above != was_above:
            logger.warning("memory.watermark is_above=%s share=%.2f", self.is_above, node.share)


def _node(info: Any) -> NodeMemory:
    """Return what a node's INFO says."""
    limit = int(info.get("maxmemory") or 0) or int(info.get("total_system_memory") or 0)
    return NodeMemory(int(info["used_memory"]), limit)
