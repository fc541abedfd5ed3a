"""The event log on Kafka: topics, writers and readers, and reads outside of any group."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult

import kafka
from kafka.errors import TopicAlreadyExistsError

from tracking.log.base import (
    BEGINNING,
    EventLog,
    LogReader,
    LogUnavailable,
    LogWriter,
    OnAssigned,
    OnRevoked,
    Position,
    Record,
)
from tracking.log.identity import check_end, check_identity, identity_of, offset_of, position_in
from tracking.log.kafka_client import (
    KafkaAddress,
    common_options,
    known_identity,
    read_kafka_url,
    to_record,
    unavailable,
)
from tracking.log.kafka_reader import KafkaReader
from tracking.log.kafka_writer import KafkaWriter

logger = logging.getLogger(__name__)


class KafkaLog(EventLog):
    """One topic of a Kafka cluster."""

    def __init__(self, address: KafkaAddress) -> None:
        self.address = address
        self.topic = address.topic
        self.partitions = address.partitions

    @classmethod
    def at(cls, parts: SplitResult, *, partitions: int) -> KafkaLog:
        """Return the log that the URL names."""
        return cls(read_kafka_url(parts, partitions=partitions))

    def __repr__(self) -> str:
        return f"KafkaLog({','.join(self.address.servers)}/{self.topic})"

    def writer(self) -> LogWriter:
        """Return an idempotent writer that waits for all replicas in sync."""
        return KafkaWriter(self.address, self.ensure_topic)

    def reader(self, group: str, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> LogReader:
        """Return a reader in a consumer group; partitions move one by one (cooperative-sticky)."""
        return KafkaReader(self.address, group, on_assigned, on_revoked)

    def ensure_topic(self, *, timeout_s: float = 10.0) -> int:
        """Create the topic when it is missing; return the number of its partitions."""
        with unavailable("create the topic"), self._admin(timeout_s) as admin:
            wanted = {
                "num_partitions": self.partitions,
                "replication_factor": self.address.replicas,
                # The brokers' clock, so that a producer whose clock is wrong is found out.
                "configs": {"message.timestamp.type": "LogAppendTime"},
            }
            try:
                admin.create_topics({self.topic: wanted}, timeout_ms=int(timeout_s * 1000), wait_for_metadata=True)
                logger.info("log.topic_created topic=%s partitions=%s", self.topic, self.partitions)
            except TopicAlreadyExistsError:
                pass
        with self._consumer(timeout_s) as consumer:
            found = len(self._known_partitions(consumer))
        if found != self.partitions:
            logger.warning(
                "log.partitions_differ topic=%s url=%s broker=%s: the broker's number counts",
                self.topic, self.partitions, found,
            )  # fmt: skip
            self.partitions = found
        return found

    def read_range(
        self, partition: int, *, start: Position = BEGINNING, limit: int = 1_000, timeout_s: float = 10.0
    ) -> list[Record]:
        """Return up to ``limit`` records from ``start`` on."""
        with unavailable("read the topic"), self._consumer(timeout_s) as consumer:
            slot = kafka.TopicPartition(self.topic, partition)
            timeout_ms = int(timeout_s * 1000)
            first = consumer.beginning_offsets([slot], timeout_ms=timeout_ms)[slot]
            end = consumer.end_offsets([slot], timeout_ms=timeout_ms)[slot]
            identity = self._checked(consumer, partition, start, end)
            next_offset = max(first, _offset(start))
            consumer.assign([slot])
            consumer.seek(slot, next_offset)
            found: list[Record] = []
            while next_offset < end and len(found) < limit:
                batch = consumer.poll(timeout_ms=timeout_ms, max_records=limit - len(found)).get(slot)
                if not batch:
                    raise LogUnavailable(f"no records of {self.topic}[{partition}] within {timeout_s:g} s")
                found.extend(to_record(message, identity) for message in batch)
                next_offset = batch[-1].offset + 1
            return found

    def end_positions(self, *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return the next offset of each partition."""
        with unavailable("read the end"), self._consumer(timeout_s) as consumer:
            slots = [kafka.TopicPartition(self.topic, index) for index in self._known_partitions(consumer)]
            ends = consumer.end_offsets(slots, timeout_ms=int(timeout_s * 1000))
            identity = known_identity(consumer, self.topic)
            return {slot.partition: position_in(str(offset), identity) for slot, offset in ends.items()}

    def behind(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, int]:
        """Return the distance of each position to the end; one or two requests."""
        timeout_ms = int(timeout_s * 1000)
        with unavailable("read the lag"), self._consumer(timeout_s) as consumer:
            slots = [kafka.TopicPartition(self.topic, partition) for partition in positions]
            firsts = consumer.beginning_offsets(slots, timeout_ms=timeout_ms)
            ends = consumer.end_offsets(slots, timeout_ms=timeout_ms)
            for slot in slots:
                self._checked(consumer, slot.partition, positions[slot.partition], ends[slot])
        return {slot.partition: ends[slot] - max(firsts[slot], _offset(positions[slot.partition])) for slot in slots}

    def adopt(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return those positions that name no topic yet, as positions of this one."""
        nameless = {partition: one for partition, one in positions.items() if one and not identity_of(one)}
        if not nameless:
            return {}
        with unavailable("read the topic's id"), self._consumer(timeout_s) as consumer:
            self._known_partitions(consumer)
            identity = known_identity(consumer, self.topic)
        return {partition: position_in(one, identity) for partition, one in nameless.items() if identity}

    def trim(self, applied: Mapping[int, Position], *, timeout_s: float = 10.0) -> int:
        """Do nothing: the topic's own ``retention.ms`` and ``retention.bytes`` say what is kept."""
        return 0

    def sibling(self, suffix: str) -> KafkaLog:
        """Return the log of ``<topic>.<suffix>`` in the same cluster."""
        return KafkaLog(replace(self.address, topic=f"{self.topic}.{suffix}"))

    def _checked(self, consumer: Any, partition: int, position: Position, end: int) -> str:
        """Return the topic's identity, or raise ``ForeignPosition`` when the position is not of it."""
        self._known_partitions(consumer)
        identity = known_identity(consumer, self.topic)
        check_identity(position, identity, topic=self.topic, partition=partition)
        is_beyond = _offset(position) > end
        check_end(position, is_beyond=is_beyond, end=str(end), topic=self.topic, partition=partition)
        return identity

    def _known_partitions(self, consumer: Any) -> list[int]:
        found = consumer.partitions_for_topic(self.topic)
        if not found:
            raise LogUnavailable(f"the topic {self.topic!r} does not exist; run ensure_topic()")
        return sorted(found)

    @contextmanager
    def _consumer(self, timeout_s: float) -> Iterator[Any]:
        with unavailable("reach a broker"):
            consumer = kafka.KafkaConsumer(
                **common_options(self.address),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                bootstrap_timeout_ms=int(timeout_s * 1000),
                request_timeout_ms=int(timeout_s * 1000),
            )
        try:
            yield consumer
        finally:
            consumer.close(autocommit=False, timeout_ms=1_000)

    @contextmanager
    def _admin(self, timeout_s: float) -> Iterator[Any]:
        with unavailable("reach a broker"):
            admin = kafka.KafkaAdminClient(
                **common_options(self.address),
                bootstrap_timeout_ms=int(timeout_s * 1000),
                request_timeout_ms=int(timeout_s * 1000),
            )
        try:
            yield admin
        finally:
            admin.close()


def _offset(position: Position) -> int:
    return int(offset_of(position) or "0")
