"""The URL of the event log: what is read from it, and what a mistake in it is answered with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from tests.contracts import test_event_log as contract
from tracking.log import EventLog, InvalidLogUrl, open_log
from tracking.log.kafka import KafkaLog
from tracking.log.memory import MemoryLog
from tracking.log.redis_streams import RedisStreamsLog
from tracking.log.urls import BACKENDS, DURABLE_SCHEMES, SCHEMES

ROOT = Path(__file__).resolve().parents[3]


def test_every_backend_is_registered_and_named_by_its_own_schemes() -> None:
    assert {resolve_name(backend.implementation) for backend in BACKENDS} == set(EventLog.__subclasses__())
    assert len(SCHEMES) == sum(len(backend.schemes) for backend in BACKENDS)


def test_the_contract_is_checked_on_every_backend() -> None:
    checked = {param.values[0].partition("_")[0] for param in contract.BACKENDS}

    assert {SCHEMES[name].implementation for name in checked} == {backend.implementation for backend in BACKENDS}


def test_a_wrong_scheme_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidLogUrl) as error:
        open_log("amqp://host/topic")

    assert set(re.findall(r"([a-z+]+)://", str(error.value))) == {"amqp", *SCHEMES}


def test_the_documents_name_every_scheme_and_no_other() -> None:
    page = (ROOT / "docs/event-log.md").read_text()
    table = page[page.index("| URL | Backend |") : page.index("| Option |")]
    named = set(re.findall(r"`([a-z+]+)://", table))

    assert named == set(SCHEMES)
    assert "memory" not in DURABLE_SCHEMES


def test_kafka_brokers_topic_and_partitions():
    log = open_log("kafka://broker-1:9092,broker-2,[::1]:9093/shop.events?partitions=12&replicas=3&compression=gzip")
    assert isinstance(log, KafkaLog)
    assert log.address.servers == ("broker-1:9092", "broker-2:9092", "[::1]:9093")
    assert (log.topic, log.partitions, log.address.replicas) == ("shop.events", 12, 3)
    assert log.address.compression == "gzip"


def test_kafka_with_tls_and_a_password_that_no_message_shows():
    log = open_log("kafka+ssl://shop:p%40ss@broker:9094/events?sasl=SCRAM-SHA-512")
    assert isinstance(log, KafkaLog)
    options: dict[str, Any] = dict(log.address.client_options)
    assert options.pop("ssl_context").check_hostname
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "shop",
        "sasl_plain_password": "p@ss",
    }
    assert "p@ss" not in repr(log.address)


def test_redis_database_stream_and_limits():
    log = open_log("redis://host:6380/3?stream=shop&partitions=2&keep_records=5&max_records=9&when_full=trim")
    assert isinstance(log, RedisStreamsLog)
    assert log.address.redis_url == "redis://host:6380/3"
    assert (log.topic, log.partitions) == ("shop", 2)
    assert (log.address.keep_records, log.address.max_records, log.address.when_full) == (5, 9, "trim")
    assert log.address.stream(1) == "rs:{p1}:log:shop"


def test_redis_by_socket_by_tls_and_as_a_cluster():
    assert open_log("unix:///run/redis.sock?db=2").address.redis_url == "unix:///run/redis.sock?db=2"  # type: ignore[attr-defined]
    tls = open_log("rediss://:secret@host/0?ssl_cert_reqs=none").address  # type: ignore[attr-defined]
    assert tls.redis_url == "rediss://:secret@host/0?ssl_cert_reqs=none"
    assert "secret" not in repr(tls)
    assert open_log("redis+cluster://host:6379").address.is_cluster  # type: ignore[attr-defined]


def test_partitions_come_from_the_caller_when_the_url_does_not_say():
    assert open_log("redis://host/0", partitions=6).partitions == 6
    assert open_log("redis://host/0?partitions=3", partitions=6).partitions == 3
    assert isinstance(open_log("memory://twin", partitions=6), MemoryLog)


@dataclass(frozen=True)
class Mistake:
    url: str
    message: str


MISTAKES = [
    Mistake("", "must start with one of kafka://"),
    Mistake("amqp://host/topic", "must start with one of kafka://"),
    Mistake("kafka://", "'' is not a host:port"),
    Mistake("kafka://host:port/topic", "'host:port' is not a host:port"),
    Mistake("kafka://host:70000/topic", "'host:70000' is not a host:port"),
    Mistake("kafka://host:9092,/topic", "'' is not a host:port"),
    Mistake("kafka://host/a/b", "'a/b' is not a topic name"),
    Mistake("kafka://host/späße", "is not a topic name"),
    Mistake("kafka://host/topic?partitions=0", "partitions='0' is not a whole number from 1 to 1024"),
    Mistake("kafka://host/topic?partitions=two", "partitions='two' is not a whole number"),
    Mistake("kafka://host/topic?partitions=", "option partitions is empty"),
    Mistake("kafka://host/topic?partition=4", "unknown option 'partition'; known are cafile"),
    Mistake("kafka://host/topic?partitions=4&partitions=5", "gives an option twice"),
    Mistake("kafka://host/topic?compression=rar", "compression='rar' is not one of none, gzip"),
    Mistake("kafka://host/topic?cafile=/x.pem", "cafile is for TLS; write kafka+ssl://"),
    Mistake("kafka+ssl://host/topic?cafile=/nowhere.pem", "cafile='/nowhere.pem' is not a file"),
    Mistake("kafka://user@host/topic", "names a user without a password"),
    Mistake("redis://host/events", "names the database 'events'; use a whole number"),
    Mistake("redis://:6379/0", "needs a host"),
    Mistake("redis://host:0/0", "needs a host and a port"),
    Mistake("redis://host:99999/0", "no valid port"),
    Mistake("redis+cluster://host/1", "a Cluster has only 0"),
    Mistake("redis://host/0?stream=a/b", "'a/b' is not a topic name"),
    Mistake("redis://host/0?when_full=panic", "when_full='panic' is not one of refuse, trim"),
    Mistake("redis://host/0#x", "has a '#'"),
    Mistake("redis://[host/0", "cannot be read"),
    Mistake("memory://x?partitions=-1", "partitions='-1' is not a whole number"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.url or "empty")
def test_a_mistake_is_named_with_its_remedy(mistake):
    with pytest.raises(InvalidLogUrl) as refused:
        open_log(mistake.url)
    assert mistake.message in str(refused.value)


@pytest.mark.parametrize(
    "url", ["kafka://user:s3cret@host/to/pic", "redis://user:s3cret@host/events", "redis://:s3cret@host/0?no=1"]
)
def test_no_message_shows_a_password(url):
    with pytest.raises(InvalidLogUrl) as refused:
        open_log(url)
    assert "s3cret" not in str(refused.value)
