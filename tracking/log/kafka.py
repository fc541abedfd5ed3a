"""The event log on Kafka, by kafka-python: addresses, topics, and reads outside of any group.

The only modules that touch kafka-python are the three ``kafka*.py`` here. Its constructors block until a broker
answers, its clients must not cross a fork, and a commit during a re-balance raises; each is dealt with where it
happens.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote

import kafka
from kafka.errors import KafkaError, TopicAlreadyExistsError

from tracking.log.base import (
    BEGINNING,
    EventLog,
    InvalidLogUrl,
    LogReader,
    LogUnavailable,
    LogWriter,
    OnAssigned,
    OnRevoked,
    Position,
    Record,
)
from tracking.log.urls import DEFAULT_TOPIC, MAX_PARTITIONS, Options, check_topic

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 9092
BOOTSTRAP_TIMEOUT_MS: Final = 500
SASL_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAddress:
    """Where the brokers are, how to talk to them, and what the topic is like.

    ``client_options`` go to every kafka-python client; it is kept out of ``repr`` because of passwords.
    """

    servers: tuple[str, ...]
    topic: str
    partitions: int
    replicas: int
    compression: str | None
    client_options: Mapping[str, Any] = field(repr=False)


def read_kafka_url(parts: SplitResult, *, partitions: int) -> KafkaAddress:
    """Return the address in ``kafka[+ssl]://[user:password@]host:port[,host:port]/topic?options``.

    Options: ``partitions`` and ``replicas`` (of a topic made by us), ``compression`` (none, gzip),
    ``sasl`` (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), ``cafile``, ``certfile``, ``keyfile`` (with ``kafka+ssl``).
    """
    options = Options(parts)
    account, _, hosts = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    topic = parts.path.strip("/") or DEFAULT_TOPIC
    address = KafkaAddress(
        servers=tuple(_server(host, options.safe_url) for host in hosts.split(",")),
        topic=check_topic(topic, safe_url=options.safe_url),
        partitions=options.integer("partitions", partitions, minimum=1, maximum=MAX_PARTITIONS),
        replicas=options.integer("replicas", 1, minimum=1, maximum=15),
        compression={"none": None}.get(word := options.choice("compression", "none", among=("none", "gzip")), word),
        client_options=_security(options, user=unquote(user), password=unquote(password)),
    )
    options.refuse_the_rest()
    return address


def _server(host: str, safe_url: str) -> str:
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        name, port = host, str(DEFAULT_PORT)
    if not name or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise InvalidLogUrl(
            f"event log URL {safe_url!r}: {host!r} is not a host:port; as in kafka://broker-1:9092,broker-2:9092/topic"
        )
    return f"{name}:{port}"


def _security(options: Options, *, user: str, password: str) -> dict[str, Any]:
    is_tls = options.parts.scheme == "kafka+ssl"
    mechanism = options.choice("sasl", "PLAIN", among=SASL_MECHANISMS)
    files = {name: options.text(name, "") for name in ("cafile", "certfile", "keyfile")}
    for name, path in files.items():
        if path and not is_tls:
            raise InvalidLogUrl(f"event log URL {options.safe_url!r}: {name} is for TLS; write kafka+ssl://")
        if path and not Path(path).is_file():
            raise InvalidLogUrl(f"event log URL {options.safe_url!r}: {name}={path!r} is not a file")
    found: dict[str, Any] = {}
    if is_tls:
        context = ssl.create_default_context(cafile=files["cafile"] or None)
        if files["certfile"]:
            context.load_cert_chain(files["certfile"], files["keyfile"] or None)
        found["ssl_context"] = context
    if user:
        if not password:
            raise InvalidLogUrl(f"event log URL {options.safe_url!r} names a user without a password")
        found |= {"sasl_mechanism": mechanism, "sasl_plain_username": user, "sasl_plain_password": password}
    found["security_protocol"] = ("SASL_" if user else "") + ("SSL" if is_tls else "PLAINTEXT")
    return found


class KafkaLog(EventLog):
    """One topic of a Kafka cluster."""

    def __init__(self, address: KafkaAddress) -> None:
        self.address = address
        self.topic = address.topic
        self.partitions = address.partitions

    def __repr__(self) -> str:
        return f"KafkaLog({','.join(self.address.servers)}/{self.topic})"

    def writer(self) -> LogWriter:
        """Return an idempotent writer that waits for all replicas in sync."""
        from tracking.log.kafka_writer import KafkaWriter

        return KafkaWriter(self.address, self.ensure_topic)

    def reader(self, group: str, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> LogReader:
        """Return a reader in a consumer group; partitions move one by one (cooperative-sticky)."""
        from tracking.log.kafka_reader import KafkaReader

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
                log.info("log.topic_created topic=%s partitions=%s", self.topic, self.partitions)
            except TopicAlreadyExistsError:
                pass
        with self._consumer(timeout_s) as consumer:
            found = len(self._known_partitions(consumer))
        if found != self.partitions:
            log.warning(
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
            next_offset = max(first, int(start or "0"))
            consumer.assign([slot])
            consumer.seek(slot, next_offset)
            found: list[Record] = []
            while next_offset < end and len(found) < limit:
                batch = consumer.poll(timeout_ms=timeout_ms, max_records=limit - len(found)).get(slot)
                if not batch:
                    raise LogUnavailable(f"no records of {self.topic}[{partition}] within {timeout_s:g} s")
                found.extend(to_record(message) for message in batch)
                next_offset = batch[-1].offset + 1
            return found

    def end_positions(self, *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return the next offset of each partition."""
        with unavailable("ask for the end"), self._consumer(timeout_s) as consumer:
            slots = [kafka.TopicPartition(self.topic, index) for index in self._known_partitions(consumer)]
            ends = consumer.end_offsets(slots, timeout_ms=int(timeout_s * 1000))
            return {slot.partition: str(offset) for slot, offset in ends.items()}

    def behind(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, int]:
        """Return the distance of each position to the end; one or two requests."""
        timeout_ms = int(timeout_s * 1000)
        with unavailable("ask for the lag"), self._consumer(timeout_s) as consumer:
            slots = [kafka.TopicPartition(self.topic, partition) for partition in positions]
            firsts = consumer.beginning_offsets(slots, timeout_ms=timeout_ms)
            ends = consumer.end_offsets(slots, timeout_ms=timeout_ms)
        return {slot.partition: ends[slot] - max(firsts[slot], int(positions[slot.partition] or "0")) for slot in slots}

    def trim(self, applied: Mapping[int, Position], *, timeout_s: float = 10.0) -> int:
        """Do nothing: the topic's own ``retention.ms`` and ``retention.bytes`` say what is kept."""
        return 0

    def sibling(self, suffix: str) -> KafkaLog:
        """Return the log of ``<topic>.<suffix>`` in the same cluster."""
        return KafkaLog(replace(self.address, topic=f"{self.topic}.{suffix}"))

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


def common_options(address: KafkaAddress) -> dict[str, Any]:
    """Return what every client of ``address`` is built with."""
    return {
        "bootstrap_servers": list(address.servers),
        "client_id": "recsite",
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 1_000,
        **address.client_options,
    }


def to_record(message: Any) -> Record:
    """Return kafka-python's message as a record; its position is the next offset."""
    return Record(
        message.partition, str(message.offset + 1), message.key or b"", message.value or b"", message.timestamp
    )


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Turn what kafka-python raises into ``LogUnavailable``."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka: could not {doing}: {error or type(error).__name__}") from error
