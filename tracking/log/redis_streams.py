"""The event log on Redis Streams: one stream a partition (``redis_topic``), writers, readers and trimming."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult

import redis

from tracking import redis_client
from tracking.log.base import (
    BEGINNING,
    EventLog,
    LogReader,
    LogWriter,
    OnAssigned,
    OnRevoked,
    Position,
    Record,
)
from tracking.log.identity import check_identity, offset_of
from tracking.log.redis_reader import RedisStreamsReader
from tracking.log.redis_topic import (
    RedisAddress,
    adopted,
    agree_on_partitions,
    check_position,
    last_position,
    read_identity,
    read_redis_url,
    sequence,
    to_record,
    unavailable,
    unread,
)
from tracking.log.redis_writer import RedisStreamsWriter


class RedisStreamsLog(EventLog):
    """One topic as streams of a Redis server or Cluster."""

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self.topic = address.topic
        self.partitions = address.partitions

    @classmethod
    def at(cls, parts: SplitResult, *, partitions: int) -> RedisStreamsLog:
        """Return the log that the URL names."""
        return cls(read_redis_url(parts, partitions=partitions))

    def __repr__(self) -> str:
        return f"RedisStreamsLog({self.topic}, partitions={self.partitions})"

    def writer(self) -> LogWriter:
        """Return a writer."""
        return RedisStreamsWriter(self.address)

    def reader(self, group: str, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> LogReader:
        """Return a reader that shares the partitions with its group by short leases."""
        return RedisStreamsReader(self.address, group, on_assigned, on_revoked)

    def ensure_topic(self, *, timeout_s: float = 10.0) -> int:
        """Fix the number of partitions when the topic is new; return it."""
        with self._client(timeout_s) as client:
            found = agree_on_partitions(client, self.address)
        self.partitions = found
        return found

    def read_range(
        self, partition: int, *, start: Position = BEGINNING, limit: int = 1_000, timeout_s: float = 10.0
    ) -> list[Record]:
        """Return up to ``limit`` records after ``start``."""
        with self._client(timeout_s) as client:
            check_position(client, self.address, partition, start)
            after = f"({offset_of(start)}" if start else "-"
            entries: Any = client.xrange(self.address.stream(partition), min=after, count=limit)
            identity = read_identity(client, self.address, partition)
            check_identity(start, identity, topic=self.topic, partition=partition)  # it may be made again meanwhile
        return [to_record(partition, entry, identity) for entry in entries]

    def end_positions(self, *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return the id of each partition's newest record."""
        with self._client(timeout_s) as client:
            return {
                partition: last_position(client, self.address, partition)
                for partition in range(agree_on_partitions(client, self.address))
            }

    def behind(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, int]:
        """Return how many records come after each position; a few short commands a partition."""
        with self._client(timeout_s) as client:
            for partition, position in positions.items():
                check_position(client, self.address, partition, position)
            return {
                partition: unread(client, self.address, partition, position)
                for partition, position in positions.items()
            }

    def adopt(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return those positions that name no stream yet, as positions of these."""
        with self._client(timeout_s) as client:
            return adopted(client, self.address, positions)

    def trim(self, applied: Mapping[int, Position], *, timeout_s: float = 10.0) -> int:
        """Forget what was applied longer ago than the newest ``keep_records`` of it."""
        trimmed = 0
        with self._client(timeout_s) as client:
            for partition, position in applied.items():
                first_kept = sequence(position) - self.address.keep_records + 1
                check_position(client, self.address, partition, position)
                if position and first_kept > 0:
                    trimmed += int(
                        client.xtrim(self.address.stream(partition), minid=f"{first_kept}-0", approximate=True)
                    )
        return trimmed

    def sibling(self, suffix: str) -> RedisStreamsLog:
        """Return the log of ``<topic>.<suffix>`` in the same Redis."""
        return RedisStreamsLog(replace(self.address, topic=f"{self.topic}.{suffix}"))

    @contextmanager
    def _client(self, timeout_s: float) -> Iterator[redis.Redis]:
        with unavailable():
            client = redis_client.connect(self.address.redis_url, timeout_s=timeout_s)
            try:
                yield client
            finally:
                client.close()
