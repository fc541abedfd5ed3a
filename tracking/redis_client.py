"""The one place where Redis clients are built: explicit time-outs, no hidden retries, Cluster where asked.

redis-py by default waits five seconds and tries ten times more, which turns a frozen Redis into a request of a
minute. Here every call has a time-out, and the caller decides what a failure means.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.retry
import redis.cluster
import redis.retry
from redis.backoff import NoBackoff

from tracking.exceptions import TrackingError

RedisClient: TypeAlias = "redis.Redis | redis.cluster.RedisCluster"
AsyncRedisClient: TypeAlias = "redis.asyncio.Redis | redis.asyncio.cluster.RedisCluster"

SCHEMES: Final = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
"""``redis+cluster`` is a Redis Cluster, found through the one node that the URL names."""

UNAVAILABLE: Final = (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, OSError)
"""What redis-py raises when a server is away, frozen or still loading."""


class InvalidRedisUrl(TrackingError, ValueError):
    """The URL of a Redis server cannot be used; the message names the remedy."""


def connect(url: str, *, timeout_s: float, max_connections: int = 64) -> redis.Redis:
    """Return a client of the server or Cluster at ``url``; connects at its first command.

    Parameters
    ----------
    url : str
        ``redis://[user:password@]host:port/db``, ``rediss://`` (TLS), ``unix://path``, or the ``+cluster`` forms.
    timeout_s : float
        For connecting and for each answer. A blocking command must block for less.
    max_connections : int
        A caller beyond that many at once gets ``redis.ConnectionError`` instead of one more socket.

    Raises
    ------
    InvalidRedisUrl
        The URL is malformed.
    """
    if is_cluster(url):
        cluster: Any = redis.cluster.RedisCluster.from_url(
            _plain(url), **_options(timeout_s, max_connections), cluster_error_retry_attempts=1
        )
        return cluster  # type: ignore[no-any-return]  # the same commands, but no common base class
    options = _options(timeout_s, max_connections)
    return _checked(
        lambda: redis.Redis.from_url(url, retry=redis.retry.Retry(NoBackoff(), 0), **options), url
    )
