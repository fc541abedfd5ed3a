"""How full Redis is: of the nodes that hold features, the fullest, as a share of what it may use."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import redis

from features import metrics
from features.exceptions import StoreUnavailable

logger = logging.getLogger(__name__)


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
    return max(_nodes(found), key=lambda node: (node.share, node.used))


def watch_memory(client: redis.Redis) -> None:
    """Show the memory as a metric; where it cannot be read, the metric stays what it was."""
    try:
        node = read_memory(client)
    except StoreUnavailable as error:
        logger.debug("memory.unreadable error=%s", error)
        return
    metrics.REDIS_MEMORY_BYTES.set(node.used)
    metrics.REDIS_MEMORY_LIMIT_BYTES.set(node.limit)


def _nodes(found: Mapping[str, Any]) -> Iterator[NodeMemory]:
    """Yield what each node says: of a cluster, INFO answers by node."""
    for info in [found] if "used_memory" in found else list(found.values()):
        yield NodeMemory(
            int(info["used_memory"]), int(info.get("maxmemory") or 0) or int(info.get("total_system_memory") or 0)
        )
