"""The id of a topic, asked for beside the reader, over a connection of its own.

The reader's own connection waits for records most of the time, and what is asked over it waits behind them.
"""

from __future__ import annotations

import base64
import math
import time
import uuid
from typing import Any, Final

import kafka
from kafka.protocol.metadata import MetadataRequest

from tracking.log.kafka_client import KafkaAddress, common_options, unavailable

TIMEOUT_MS: Final = 2_000
FRESH_S: Final = 0.25
"""How long an answer counts. No topic is deleted, made again and filled beyond a stored position in so short a time."""


class TopicIdentity:
    """Asks the brokers for the id of one topic; used from one thread. An answer takes about a millisecond."""

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
                    **common_options(self._address), group_id=None, bootstrap_timeout_ms=TIMEOUT_MS
                )
            asked_at = time.monotonic()
            response = self._consumer._net.run(self._ask)
        self._answer = next((spelled(one.topic_id) for one in response.topics if not one.error_code), "")
        self._asked_at = asked_at
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=TIMEOUT_MS)
            self._consumer = None

    async def _ask(self) -> Any:
        manager = self._consumer._manager
        request = MetadataRequest(
            topics=[MetadataRequest.MetadataRequestTopic(name=self._address.topic)],
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=False,
        )
        return await manager.wait_for(manager.send(request), TIMEOUT_MS)


def spelled(topic_id: uuid.UUID | None) -> str:
    """Return a topic's id as Kafka's own tools print it; empty where there is none."""
    if topic_id is None or not topic_id.int:
        return ""
    return base64.urlsafe_b64encode(topic_id.bytes).decode().rstrip("=")


def known_identity(consumer: Any, topic: str) -> str:
    """Return the topic's id as of the last metadata of a consumer; empty as in ``TopicIdentity.current``."""
    return spelled(consumer._cluster.topic_id(topic))
