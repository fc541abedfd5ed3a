"""The one place where redis-py clients are built: explicit time-outs, no hidden retries, Cluster where the URL says so.

redis-py by default waits five seconds and tries ten times more, which turns a frozen Redis into a request
of a minute. Here every call has a time-out, and the caller decides what a failure means.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.retry
import redis.cluster
import redis.retry
from redis.backoff import NoBackoff

from tracking.exceptions import TrackingError

SCHEMES: Final = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
"""``redis+cluster`` is a Redis Cluster, found through the one node that the URL names."""

CLUSTER_RETRIES: Final = 1
"""A Cluster whose slots have moved answers the second time, with the new map."""

UNAVAILABLE: Final = (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, OSError)
"""What redis-py raises when a server is unavailable, frozen or still loading."""

_REFUSED_BY: Final = {
    "OOM": "Redis is full; give it more memory (maxmemory), or see docs/redis.md for what fills it",
    "MISCONF": "Redis cannot write to its disk; make room there, its log says why",
    "READONLY": "this Redis is a replica; name its primary in REDIS_URL",
}


def remedy_of_refusal(error: BaseException) -> str | None:
    """Return what to do about a Redis that answers, and takes no writes; None where the error is another."""
    if not isinstance(error, redis.ResponseError):
        return None
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return _REFUSED_BY["OOM"]
    if isinstance(error, redis.exceptions.ReadOnlyError):
        return _REFUSED_BY["READONLY"]
    said = str(error)
    return next((remedy for word, remedy in _REFUSED_BY.items() if f"{word} " in said), None)


class InvalidRedisUrl(TrackingError, ValueError):
    """The URL of a Redis server cannot be used; the message names the remedy."""


def connect(url: str, *, timeout_s: float, max_connections: int = 64) -> redis.Redis:
    """Return a client of the server or Cluster at ``url``.

    A single server is connected to at the first command; the map of a Cluster is read here, so building its
    client raises when it is unavailable. Thread-safe; not to be carried across a fork.

    Parameters
    ----------
    url : str
        ``redis://[user:password@]host:port/db``, ``rediss://`` (TLS), ``unix://path``, or a ``+cluster`` form.
    timeout_s : float
        For connecting and for each answer. A blocking command must block for less.
    max_connections : int
        A caller beyond that many at once gets ``redis.ConnectionError`` instead of one more socket.

    Raises
    ------
    InvalidRedisUrl
        The URL is malformed.
    """
    check_url(url)
    options: dict[str, Any] = _options(timeout_s, max_connections)
    if is_cluster(url):
        options["retry"] = redis.retry.Retry(NoBackoff(), CLUSTER_RETRIES)
        cluster: Any = redis.cluster.RedisCluster.from_url(_plain(url), **options)
        return cluster  # type: ignore[no-any-return]  # the same commands, but no common base class
    return redis.Redis.from_url(url, retry=redis.retry.Retry(NoBackoff(), 0), **options)


def connect_async(url: str, *, timeout_s: float, max_connections: int = 64) -> redis.asyncio.Redis:
    """Return an asyncio client of the server or Cluster at ``url``; connects at its first command.

    For one event loop only: build one in each loop. Parameters and errors as in ``connect``.
    """
    check_url(url)
    options: dict[str, Any] = _options(timeout_s, max_connections)
    if is_cluster(url):
        options["retry"] = redis.asyncio.retry.Retry(NoBackoff(), CLUSTER_RETRIES)
        cluster: Any = redis.asyncio.cluster.RedisCluster.from_url(_plain(url), **options)
        return cluster  # type: ignore[no-any-return]  # the same commands, but no common base class
    return redis.asyncio.Redis.from_url(url, retry=redis.asyncio.retry.Retry(NoBackoff(), 0), **options)


def is_cluster(url: str) -> bool:
    """Return whether the URL names a Redis Cluster: no command may then touch two hash slots."""
    return url.startswith(("redis+cluster://", "rediss+cluster://"))


def _options(timeout_s: float, max_connections: int) -> dict[str, object]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "max_connections": max_connections,
        # RESP2: the answers have one shape on every server from 6.2 on, and hiredis reads it fastest.
        "protocol": 2,
    }


def _plain(url: str) -> str:
    return url.replace("+cluster://", "://", 1)


def check_url(url: str) -> None:
    """Raise ``InvalidRedisUrl`` when no client can be built from ``url``; never shows its password."""
    parts = urlsplit(url)
    host = (parts.netloc.rpartition("@")[2]) or parts.path
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise InvalidRedisUrl(f"the Redis URL of host {host!r} has the scheme {parts.scheme!r}; use one of {known}")
    if parts.scheme == "unix":
        return
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidRedisUrl(f"the Redis URL of host {host!r} has no valid port; use 1 to 65535") from error
    if not parts.hostname or port == 0:
        raise InvalidRedisUrl(
            f"the Redis URL {parts.scheme}://{host} needs a host and a port; as in redis://host:6379/0"
        )
    database = parts.path.removeprefix("/")
    if database and not database.isdecimal():
        raise InvalidRedisUrl(f"the Redis URL of host {host!r} names the database {database!r}; use a whole number")
    if is_cluster(parts.scheme + "://") and database not in ("", "0"):
        raise InvalidRedisUrl(f"the Redis URL of host {host!r} names database {database}; a Cluster has only 0")
