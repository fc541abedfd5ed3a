"""The id of a Kafka topic."""

from __future__ import annotations

import uuid

import pytest

from tests.services.remade_topics import make_again
from tracking.log import LogUnavailable, open_log
from tracking.log.kafka import KafkaLog
from tracking.log.kafka_client import TopicIdentity, spelled


def kafka_log(bootstrap: str) -> KafkaLog:
    log = open_log(f"kafka://{bootstrap}/t-{uuid.uuid4().hex}?partitions=2")
    assert isinstance(log, KafkaLog)
    return log


def test_an_id_is_spelled_as_kafkas_tools_do() -> None:
    assert spelled(uuid.UUID("0e4e3f3e-9c6a-4d53-8f57-2a4c1a3a6b10")) == "Dk4_PpxqTVOPVypMGjprEA"
    assert spelled(uuid.UUID(int=0)) == spelled(None) == ""


@pytest.mark.kafka
def test_a_topic_that_was_made_again_has_another_id(kafka_bootstrap: str) -> None:
    log = kafka_log(kafka_bootstrap)
    identity = TopicIdentity(log.address)
    assert identity.current() == ""
    log.ensure_topic()
    first = identity.current()
    assert first == identity.recent() == log.adopt({0: "5"})[0].partition("@")[2]
    make_again(log)
    assert identity.current() not in ("", first)
    identity.close()


@pytest.mark.slow
def test_brokers_that_do_not_answer_are_said() -> None:
    identity = TopicIdentity(kafka_log("127.0.0.1:9").address)
    with pytest.raises(LogUnavailable, match="topic's id"):
        identity.current()
