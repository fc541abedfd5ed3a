"""A topic of Redis Streams: where it is, and what its writers and readers share.

There is one stream a partition; the keys of a partition are on one Cluster slot.

Record ids are ``<number>-<milliseconds>``: the numbers of a partition go up by one, so that lag and gaps are
exact; the second half is the time of the append. A new stream starts at the clock's microseconds, so that ids
still grow when a server lost its data, and no stored position ever hides new records. Beside each stream stands its
identity, drawn by the writer that makes it; whoever comes first gives one to a stream of version 0.1.

Redis keeps what was applied until ``trim`` is called; a stream that reaches ``max_records`` refuses appends
(``when_full=refuse``: producers spool) or forgets its oldest records (``when_full=trim``), applied or not.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlencode

import redis

from tracking import keys, redis_client
from tracking.contract.stamp import FIELD, read_stamp
from tracking.log.base import BEGINNING, InvalidLogUrl, LogUnavailable, Position, Record
from tracking.log.identity import check_end, check_identity, identity_of, position_in
from tracking.log.options import DEFAULT_TOPIC, MAX_PARTITIONS, Options

logger = logging.getLogger(__name__)

_STAMP: Final = FIELD.encode()
PASSED_ON: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "db")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where the streams are and what they keep."""

    redis_url: str = field(repr=False)
    topic: str
    partitions: int
    keep_records: int
    max_records: int
    when_full: str

    @property
    def is_cluster(self) -> bool:
        """Whether no command may touch two partitions."""
        return redis_client.is_cluster(self.redis_url)

    def stream(self, partition: int) -> str:
        """Return the key of a partition's records."""
        return keys.log_records(partition, self.topic)

    def identity(self, partition: int) -> str:
        """Return the key of the identity of a partition's stream."""
        return keys.log_identity(partition, self.topic)

    def lease(self, partition: int, group: str) -> str:
        """Return the key that says which member of ``group`` reads a partition."""
        return keys.lease(partition, self.topic, group)

    def members(self, group: str) -> str:
        """Return the key of the living members of ``group``."""
        return keys.log_members(self.topic, group)

    @property
    def partition_count(self) -> str:
        """The key that holds the number of partitions the topic was made with."""
        return keys.log_partitions(self.topic)


def read_redis_url(parts: SplitResult, *, partitions: int) -> RedisAddress:
    """Return the address in ``redis[s][+cluster]://[user:password@]host:port/db?options``.

    Options: ``stream`` (name of the topic), ``partitions``, ``keep_records`` (kept after they were applied, each
    partition), ``max_records`` (cap of each partition), ``when_full`` (refuse, trim), and redis-py's ``db`` and
    ``ssl_…``.
    """
    options = Options(parts)
    found = {
        "topic": options.topic("stream", DEFAULT_TOPIC),
        "partitions": options.integer("partitions", partitions, minimum=1, maximum=MAX_PARTITIONS),
        "keep_records": options.integer("keep_records", 10_000, minimum=1, maximum=1_000_000_000),
        "max_records": options.integer("max_records", 500_000, minimum=1, maximum=1_000_000_000),
        "when_full": options.choice("when_full", "refuse", among=("refuse", "trim")),
    }
    passed_on = {name: value for name in PASSED_ON if (value := options.text(name, ""))}
    options.refuse_the_rest()
    # urlunsplit would drop the empty host of unix:///path.
    redis_url = f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{urlencode(passed_on)}" if passed_on else "")
    try:
        redis_client.check_url(redis_url)
    except redis_client.InvalidRedisUrl as error:
        raise InvalidLogUrl(f"event log URL {options.safe_url!r}: {error}") from error
    return RedisAddress(redis_url=redis_url, **found)  # type: ignore[arg-type]  # the dict mixes str and int


def agree_on_partitions(client: redis.Redis, address: RedisAddress) -> int:
    """Return the number of partitions that all writers and readers of the topic use: the first one set."""
    key = address.partition_count
    if client.set(key, address.partitions, nx=True):
        return address.partitions
    found = int(client.get(key) or address.partitions)
    if found != address.partitions:
        logger.warning(
            "log.partitions_differ topic=%s url=%s redis=%s: the number in Redis counts",
            address.topic, address.partitions, found,
        )  # fmt: skip
    return found


def new_identity() -> str:
    """Return what tells a new stream from all others."""
    return secrets.token_hex(8)


def read_identity(client: redis.Redis, address: RedisAddress, partition: int) -> str:
    """Return the identity of a partition's stream; empty while there is no stream.

    A stream without one, of version 0.1, gets it here. Two or three short commands.
    """
    key = address.identity(partition)
    found: Any = client.get(key)
    if not client.exists(address.stream(partition)):
        return ""
    if found is None:
        client.set(key, new_identity(), nx=True)
        found = client.get(key)
    return found.decode() if found else ""


def last_position(client: redis.Redis, address: RedisAddress, partition: int) -> Position:
    """Return the position of the newest record, or the beginning when there is none."""
    newest: Any = client.xrevrange(address.stream(partition), count=1)
    if not newest:
        return BEGINNING
    return position_in(newest[0][0].decode(), read_identity(client, address, partition))


def check_position(client: redis.Redis, address: RedisAddress, partition: int, position: Position) -> None:
    """Raise ``ForeignPosition`` when a position is not of this stream, or beyond its end."""
    if not position:
        return
    identity = read_identity(client, address, partition)
    check_identity(position, identity, topic=address.topic, partition=partition)
    try:
        about: Any = client.xinfo_stream(address.stream(partition))
        end = about["last-generated-id"].decode()  # also of a stream whose records are all trimmed
    except redis.ResponseError:
        end = ""
    is_beyond = sequence(position) > sequence(end)
    check_end(position, is_beyond=is_beyond, end=end, topic=address.topic, partition=partition)


def adopted(client: redis.Redis, address: RedisAddress, positions: Mapping[int, Position]) -> dict[int, Position]:
    """Return those positions that name no log yet, as positions of this one."""
    found: dict[int, Position] = {}
    for partition, position in positions.items():
        if position and not identity_of(position):
            identity = read_identity(client, address, partition)
            if identity:
                found[partition] = position_in(position, identity)
    return found


def unread(client: redis.Redis, address: RedisAddress, partition: int, position: Position) -> int:
    """Return how many records of a partition come after ``position``."""
    newest = sequence(last_position(client, address, partition))
    # The numbers jump when a server lost its data; what is there bounds what is unread.
    return max(0, min(int(client.xlen(address.stream(partition))), newest - sequence(position)))


def to_record(partition: int, entry: tuple[bytes, Mapping[bytes, bytes]], identity: str) -> Record:
    """Return an entry of a stream of this identity as a record; its offset is its own id."""
    offset = entry[0].decode()
    fields = entry[1]
    milliseconds = int(offset.partition("-")[2])
    stamp = read_stamp(fields.get(_STAMP))
    return Record(partition, position_in(offset, identity), fields[b"k"], fields[b"v"], milliseconds, stamp)


def sequence(position: Position) -> int:
    """Return the number of the record in its partition; 0 before the first."""
    return int(position.partition("-")[0] or "0")


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what redis-py raises into ``LogUnavailable``."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise LogUnavailable(f"Redis: {error or type(error).__name__}") from error
