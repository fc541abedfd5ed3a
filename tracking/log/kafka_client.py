"""Where Kafka is, and what every client of it shares: the address, its options, topic ids, records and errors.

Only the ``kafka*.py`` modules here touch kafka-python. Its constructors block until a broker answers, its clients must
not cross a fork, and a commit during a re-balance raises; each is dealt with where it happens.
"""

from __future__ import annotations

import base64
import math
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote

import kafka
from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataRequest

from tracking.contract.stamp import FIELD, read_stamp
from tracking.log.base import InvalidLogUrl, LogUnavailable, Record
from tracking.log.identity import position_in
from tracking.log.options import DEFAULT_TOPIC, MAX_PARTITIONS, Options, check_topic

DEFAULT_PORT: Final = 9092
BOOTSTRAP_TIMEOUT_MS: Final = 500
IDENTITY_TIMEOUT_MS: Final = 2_000
FRESH_S: Final = 0.25
"""How long an answer counts. No topic is deleted, made again and filled beyond a stored position in so short a time."""
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


def common_options(address: KafkaAddress) -> dict[str, Any]:
    """Return what every client of ``address`` is built with."""
    return {
        "bootstrap_servers": list(address.servers),
        "client_id": "recsite",
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 1_000,
        **address.client_options,
    }


def to_record(message: Any, identity: str) -> Record:
    """Return kafka-python's message as a record of the topic of this identity; its position is the next offset."""
    position = position_in(str(message.offset + 1), identity)
    stamp = read_stamp(next((value for name, value in message.headers if name == FIELD), None))
    return Record(message.partition, position, message.key or b"", message.value or b"", message.timestamp, stamp)


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Turn what kafka-python raises into ``LogUnavailable``."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka: could not {doing}: {error or type(error).__name__}") from error


class TopicIdentity:
    """Asks the brokers for the id of one topic; used from one thread. An answer takes about two milliseconds.

    It has a connection of its own: a reader's waits for records most of the time, and what is asked over it waits, too.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._consumer: Any = None
        self._answer = ""
        self._asked_at = -math.inf

    def recent(self, within_s: float = FRESH_S) -> str:
        """Return the id as of at most ``within_s`` seconds ago; raises ``LogUnavailable``."""
        return self._answer if time.monotonic() < self._asked_at + within_s else self.current()

    def current(self) -> str:
        """Return the id as it is now; empty when the topic is not there, or its brokers (before 2.8) give it none.

        Raises
        ------
        LogUnavailable
            No broker answers in time.
        """
        with unavailable("read the topic's id"):
            if self._consumer is None:
                self._consumer = kafka.KafkaConsumer(
                    **common_options(self._address), group_id=None, bootstrap_timeout_ms=IDENTITY_TIMEOUT_MS
                )
            asked_at = time.monotonic()
            response = self._consumer._net.run(self._ask)
        self._answer = next((spelled(one.topic_id) for one in response.topics if not one.error_code), "")
        self._asked_at = asked_at
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=IDENTITY_TIMEOUT_MS)
            self._consumer = None

    async def _ask(self) -> Any:
        manager = self._consumer._manager
        request = MetadataRequest(
            topics=[MetadataRequest.MetadataRequestTopic(name=self._address.topic)],
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=False,
        )
        return await manager.wait_for(manager.send(request), IDENTITY_TIMEOUT_MS)


def spelled(topic_id: uuid.UUID | None) -> str:
    """Return a topic's id as Kafka's own tools print it; empty where there is none."""
    if topic_id is None or not topic_id.int:
        return ""
    return base64.urlsafe_b64encode(topic_id.bytes).decode().rstrip("=")


def known_identity(consumer: Any, topic: str) -> str:
    """Return the topic's id as of the last metadata of a consumer; empty as in ``TopicIdentity.current``."""
    return spelled(consumer._cluster.topic_id(topic))
