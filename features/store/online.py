"""The online store: states of many users in one round trip, and everything a batch changes in one transaction.

A batch costs two round trips, whatever its size (a third when it opens a new pane of counts). The first watches the
partition's position and reads; the second writes, and Redis refuses it when anybody touched the position in between.
So a replay or a worker that lost its partition changes nothing, and whoever wants to change a state beside the worker
(erasure) touches the position.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import redis

from features import keys
from features.exceptions import Fenced, StoreEmptied
from features.state.batch import StoredBatch, User
from features.state.orders.order import ttl_s
from features.store.redis_pipe import Command, Pipe, borrow, borrowed, raise_errors
from tracking.log import BEGINNING, Position

_DECODE_ERASED: Final = msgspec.msgpack.Decoder(dict[int, int]).decode
SET_ALL: Final = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end"
"""MSET with a TTL, which Redis lacks: one answer to read instead of a thousand."""

SET_EACH: Final = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 * i - 1], 'EX', ARGV[2 * i]) end"
"""The same with a TTL for each."""
EXPIRE_LATER: Final = (
    "if redis.call('TTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[1]) end"
)
"""EXPIRE with the option GT, which Redis has since version 7, and which takes no TTL for the shortest."""

PositionKey = Callable[[int, str], str]  # partition and log name -> Redis key


@dataclass(slots=True, frozen=True)
class CountChange:
    """New values of some fields of a hash of counts, and fields that it loses."""

    key: str
    values: Mapping[str, bytes]
    ttl_s: int
    removed: Sequence[str] = ()


@dataclass(slots=True)
class Changes:
    """What the second round trip writes: absolute values, all of them."""

    next_position: Position
    progress: bytes
    sessions: dict[User, bytes] = field(default_factory=dict)
    profiles: dict[User, bytes] = field(default_factory=dict)
    orders: dict[User, dict[int, bytes]] = field(default_factory=dict)
    counts: list[CountChange] = field(default_factory=list)


class OnlineStore:
    """Reads and writes the states of one log's users."""

    def __init__(self, client: redis.Redis, *, log_name: str, session_ttl_s: int, profile_ttl_s: int) -> None:
        self.client = client
        self.log_name = log_name
        self._session_ttl_ms = session_ttl_s * 1_000
        self._profile_ttl_ms = profile_ttl_s * 1_000

    def positions(self, partitions: Sequence[int]) -> dict[int, Position]:
        """Return where each partition goes on; one round trip a partition.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        return {partition: self.stored_position(keys.position, partition) for partition in partitions}

    def has_position(self, partition: int) -> bool:
        """Return whether a position of the features is stored, also one at the beginning; one round trip.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        return bool(self._ask(partition, "EXISTS"))

    def begin(self, partition: int) -> None:
        """Store that a new partition stands at the beginning; one round trip.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        self._ask(partition, "SETNX", BEGINNING)

    def _ask(self, partition: int, command: str, *arguments: str) -> int:
        key = keys.position(partition, self.log_name)
        with borrowed(self.client, key) as pipe:
            answers = pipe.send([(command, key, *arguments)])
            raise_errors(self.client, answers)
        return int(answers[0])

    def stored_position(self, name_key: PositionKey, partition: int) -> Position:
        """Return a position that is stored under the key that ``name_key`` spells; one round trip.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        key = name_key(partition, self.log_name)
        with borrowed(self.client, key) as pipe:
            answers = pipe.send([("GET", key)])
            raise_errors(self.client, answers)
        return _text(answers[0])

    def erased_users(self, partition: int, site: str) -> dict[int, int]:
        """Return up to when the site's erased users of a partition were erased, by the hash of their key.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        key = keys.erased(partition, site)
        with borrowed(self.client, key) as pipe:
            answers = pipe.send([("GET", key)])
            raise_errors(self.client, answers)
        return _DECODE_ERASED(answers[0]) if answers[0] else {}

    def advance(self, name_key: PositionKey, partition: int, *, expected: Position, position: Position) -> None:
        """Set a position if it still is what it was; two round trips.

        Raises
        ------
        Fenced
            Somebody else has moved it.
        StoreUnavailable
            Redis is unavailable.
        """
        key = name_key(partition, self.log_name)
        with borrowed(self.client, key) as pipe:
            answers = pipe.send([("WATCH", key), ("GET", key)])
            raise_errors(self.client, answers)
            found = _text(answers[1])
            if found != expected:
                pipe.send([("UNWATCH",)])
                raise Fenced(partition, expected=expected, found=found)
            answers = pipe.send([("MULTI",), ("SET", key, position), ("EXEC",)])
            if answers[-1] is None:
                raise Fenced(partition, expected=expected, found="(changed meanwhile)")
            raise_errors(self.client, answers)

    def batch(self, partition: int) -> Batch:
        """Return one batch of a partition with a connection of its own; close it, or use it in a ``with``.

        Raises
        ------
        StoreUnavailable
            Redis cannot be reached.
        """
        return Batch(self, borrow(self.client, keys.position(partition, self.log_name)), partition)

    def write_commands(self, partition: int, changes: Changes) -> list[Command]:
        """Return the commands of the transaction, between MULTI and EXEC."""
        session_ttl, profile_ttl = self._session_ttl_ms, self._profile_ttl_ms
        commands: list[Command] = []
        for view, states, ttl in (
            (keys.SESSION, changes.sessions, session_ttl),
            (keys.PROFILE, changes.profiles, profile_ttl),
        ):
            names = keys.states(partition, view, states)
            if names:
                commands.append(("EVAL", SET_ALL, len(names), *names, ttl, *states.values()))
        commands += _order_commands(partition, changes.orders)
        for change in changes.counts:
            if change.removed:  # first: a hash that was large for a moment is never packed again
                commands.append(("HDEL", change.key, *change.removed))
            if change.values:
                commands.append(("HSET", change.key, *(part for pair in change.values.items() for part in pair)))
            commands.append(("EXPIRE", change.key, change.ttl_s))
        commands.append(("SET", keys.progress(partition, self.log_name), changes.progress, "PX", profile_ttl))
        commands.append(("SET", keys.position(partition, self.log_name), changes.next_position))
        return commands


class Batch:
    """One batch of one partition: ``request`` and ``read``, then ``send`` and ``wait_acknowledged`` once or not at all.

    Redis works between the two of each pair, and so may the caller.
    """

    def __init__(self, store: OnlineStore, pipe: Pipe, partition: int) -> None:
        self._store = store
        self._pipe: Pipe | None = pipe
        self.partition = partition
        self._users: Sequence[User] = ()
        self._sites: list[str] = []
        self._expected: Position = BEGINNING
        self._is_watching = False

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def request(self, *, expected: Position, users: Sequence[User]) -> None:
        """Watch the position, which should be ``expected``, and ask for the states of ``users``.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        partition, name = self.partition, self._store.log_name
        self._users, self._expected = users, expected
        self._sites = sorted({site for site, _ in users})
        position_key = keys.position(partition, name)
        wanted = [position_key, keys.progress(partition, name)]
        wanted += [keys.erased(partition, site) for site in self._sites]
        wanted += keys.states(partition, keys.SESSION, users)
        wanted += keys.states(partition, keys.PROFILE, users)
        self._is_watching = True
        self._open.push([("WATCH", position_key), ("MGET", *wanted)])

    def read(self) -> StoredBatch:
        """Return what was requested.

        Raises
        ------
        Fenced
            The partition does not stand where it was expected.
        StoreEmptied
            It stands nowhere any more.
        StoreUnavailable
            Redis is unavailable.
        """
        answers = self._open.pull()
        raise_errors(self._store.client, answers)
        position, progress, *rest = answers[1]
        if position is None and self._expected != BEGINNING:
            raise StoreEmptied(self.partition)
        if (found := _text(position)) != self._expected:
            raise Fenced(self.partition, expected=self._expected, found=found)
        sites, users = self._sites, self._users
        blobs = rest[len(sites) :]
        return StoredBatch(
            progress=progress,
            erased={site: blob for site, blob in zip(sites, rest, strict=False) if blob is not None},
            sessions=dict(zip(users, blobs[: len(users)], strict=True)),
            profiles=dict(zip(users, blobs[len(users) :], strict=True)),
        )

    @property
    def client(self) -> redis.Redis:
        """The client of the store, for what stands on other servers."""
        return self._store.client

    def read_orders(self, names: Sequence[tuple[str, str, int]]) -> list[bytes | None]:
        """Return orders by site, user key with which they stand, and hash; one round trip if there are any.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        if not names:
            return []
        spelled = [keys.order(self.partition, site, user_key, hashed) for site, user_key, hashed in names]
        answers = self._open.send([("MGET", *spelled)])
        raise_errors(self._store.client, answers)
        found: list[bytes | None] = answers[0]
        return found

    def read_counts(self, wanted: Sequence[str]) -> list[dict[bytes, bytes]]:
        """Return whole hashes of counts; one round trip, and only for hashes the worker does not hold yet.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        answers = self._open.send([("HGETALL", key) for key in wanted])
        raise_errors(self._store.client, answers)
        return [dict(zip(answer[::2], answer[1::2], strict=True)) for answer in answers]

    def send(self, changes: Changes) -> None:
        """Send everything and the next position, to be written as a whole or not at all.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable; whether the batch was written is not known, so read the position again.
        """
        self._open.push([("MULTI",), *self._store.write_commands(self.partition, changes), ("EXEC",)])

    def wait_acknowledged(self) -> None:
        """Wait until what was sent is written.

        Raises
        ------
        Fenced
            Somebody touched the position since ``request``; nothing was written.
        StoreUnavailable
            As ``send``.
        """
        answers = self._open.pull()
        self._is_watching = False
        outcome = answers[-1]
        if outcome is None:
            raise Fenced(self.partition, expected=self._expected, found="(changed meanwhile)")
        raise_errors(self._store.client, answers)
        raise_errors(self._store.client, outcome)

    def close(self) -> None:
        """Release the connection, which unwatches the position when nothing was acknowledged; may be called twice."""
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            pipe.give_back(is_clean=not self._is_watching)

    @property
    def _open(self) -> Pipe:
        if self._pipe is None:
            raise RuntimeError("the batch is closed; take a new one from the store")
        return self._pipe


def _order_commands(partition: int, orders: Mapping[User, Mapping[int, bytes]]) -> list[Command]:
    if not orders:
        return []
    now_ms = time.time_ns() // 1_000_000
    commands: list[Command] = []
    names: list[str] = []
    values: list[bytes | int] = []
    for (site, user_key), own in orders.items():
        ttls = [ttl_s(blob, now_ms=now_ms) for blob in own.values()]
        names += [keys.order(partition, site, user_key, hashed) for hashed in own]
        values += [part for pair in zip(own.values(), ttls, strict=True) for part in pair]
        index = keys.orders_of_user(partition, site, user_key)
        commands += [("SADD", index, *own), ("EVAL", EXPIRE_LATER, 1, index, max(ttls))]
    return [("EVAL", SET_EACH, len(names), *names, *values), *commands]


def _text(blob: bytes | None) -> str:
    return blob.decode() if blob else BEGINNING
