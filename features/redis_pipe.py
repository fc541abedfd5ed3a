"""Many commands on one connection in one round trip, and the answers as they came.

redis-py's pipelines spend more time on each command than Redis does, so commands are packed by hiredis here; and a
connection is kept between WATCH and EXEC, which a pool would not promise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast

import redis
from hiredis import pack_command
from redis.exceptions import AskError, ClusterDownError, MovedError

from features.exceptions import StoreUnavailable
from tracking.redis_client import UNAVAILABLE

Command = tuple[Any, ...]


class Pipe:
    """One borrowed connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send all commands at once and return their answers; an error answer is returned, not raised."""
        self._connection.send_packed_command([b"".join(map(pack_command, commands))])
        answers: list[Any] = []
        for _ in commands:
            try:
                answers.append(self._connection.read_response())
            except redis.ResponseError as error:
                answers.append(error)
        return answers


@contextlib.contextmanager
def borrowed(client: redis.Redis, key: str) -> Iterator[Pipe]:
    """Lend a connection to the server that holds ``key``.

    Raises
    ------
    StoreUnavailable
        Redis cannot be reached or does not answer in time, or the Cluster is moving the key.
    """
    try:
        pool = _pool(client, key)
        connection = pool.get_connection()
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Redis cannot be reached: {error}") from error
    try:
        yield Pipe(connection)
    except UNAVAILABLE as error:
        connection.disconnect()
        raise StoreUnavailable(f"Redis did not answer: {error}") from error
    except BaseException:
        connection.disconnect()  # answers may still be on their way
        raise
    finally:
        pool.release(connection)


def raise_errors(client: redis.Redis, answers: Sequence[Any]) -> None:
    """Raise for the first error among the answers.

    Raises
    ------
    StoreUnavailable
        It passes by itself: a Cluster that moves its slots, a server that loads, is full or read-only.
    """
    for answer in answers:
        if not isinstance(answer, redis.ResponseError):
            continue
        if isinstance(answer, MovedError | AskError | ClusterDownError):
            with contextlib.suppress(*UNAVAILABLE):
                cast("Any", client).nodes_manager.initialize()
            raise StoreUnavailable(f"the Redis Cluster is moving keys: {answer}") from answer
        raise StoreUnavailable(f"Redis refused a command: {answer}") from answer


def _pool(client: redis.Redis, key: str) -> Any:
    cluster: Any = client  # a Cluster's client has the same commands, but no common base class
    if isinstance(cluster, redis.Redis):
        return cluster.connection_pool
    node = cluster.get_node_from_key(key)
    if node is None:
        raise redis.ConnectionError(f"no node of the Cluster holds the slot of {key!r}")
    return cluster.get_redis_connection(node).connection_pool
