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
    """One borrowed connection: ``push`` sends, ``pull`` waits; in between, Redis works and so may the caller."""

    def __init__(self, pool: Any, connection: Any) -> None:
        self._pool = pool
        self._connection = connection
        self._unread = 0

    def push(self, commands: Sequence[Command]) -> None:
        """Send all commands at once.

        Raises
        ------
        StoreUnavailable
            Redis takes nothing; whether it saw the commands is not known.
        """
        self._unread += len(commands)
        try:
            self._connection.send_packed_command([b"".join(map(pack_command, commands))])
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"Redis takes no commands: {error}") from error

    def pull(self) -> list[Any]:
        """Return the answers to everything that was pushed; an error answer is returned, not raised.

        Raises
        ------
        StoreUnavailable
            Redis does not answer in time.
        """
        answers: list[Any] = []
        try:
            while self._unread:
                try:
                    answers.append(self._connection.read_response())
                except redis.ResponseError as error:
                    answers.append(error)
                self._unread -= 1
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"Redis did not answer: {error}") from error
        return answers

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Push and pull: one round trip."""
        self.push(commands)
        return self.pull()

    def give_back(self, *, is_clean: bool = True) -> None:
        """Let others have the connection; one with answers on their way, or not clean, is closed first."""
        if self._unread or not is_clean:
            self._connection.disconnect()
        self._pool.release(self._connection)


def borrow(client: redis.Redis, key: str) -> Pipe:
    """Return a connection to the server that holds ``key``; the caller gives it back.

    Raises
    ------
    StoreUnavailable
        Redis cannot be reached.
    """
    try:
        pool = _pool(client, key)
        return Pipe(pool, pool.get_connection())
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Redis cannot be reached: {error}") from error


@contextlib.contextmanager
def borrowed(client: redis.Redis, key: str) -> Iterator[Pipe]:
    """Lend a connection to the server that holds ``key``.

    Raises
    ------
    StoreUnavailable
        Redis cannot be reached or does not answer in time.
    """
    pipe = borrow(client, key)
    try:
        yield pipe
    except BaseException:
        pipe.give_back(is_clean=False)
        raise
    pipe.give_back()


def send_to_each(client: redis.Redis, commands: Sequence[tuple[str, Command]]) -> list[Any]:
    """Send each command to the server that holds its key, all at once, and return the answers in that order.

    Raises
    ------
    StoreUnavailable
        A server cannot be reached, does not answer in time, or refuses.
    """
    pipes: dict[int, Pipe] = {}
    indices: dict[int, list[int]] = {}
    answers: list[Any] = [None] * len(commands)
    is_clean = False
    try:
        for index, (key, _) in enumerate(commands):
            name = id(_pool(client, key))
            if name not in pipes:
                pipes[name] = borrow(client, key)
            indices.setdefault(name, []).append(index)
        for name, pipe in pipes.items():
            pipe.push([commands[index][1] for index in indices[name]])
        for name, pipe in pipes.items():
            for index, answer in zip(indices[name], pipe.pull(), strict=True):
                answers[index] = answer
        is_clean = True
    except redis.ConnectionError as error:
        raise StoreUnavailable(f"Redis cannot be reached: {error}") from error
    finally:
        for pipe in pipes.values():
            pipe.give_back(is_clean=is_clean)
    raise_errors(client, answers)
    return answers


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
