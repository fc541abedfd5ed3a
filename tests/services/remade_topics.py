"""A topic that is deleted and made again under its name, as an operator's mistake does it."""

from __future__ import annotations

import kafka
from kafka.errors import KafkaError

from tests.services.waiting import wait_until
from tracking import redis_client
from tracking.log import EventLog
from tracking.log.kafka import KafkaLog
from tracking.log.memory import MemoryLog
from tracking.log.redis_streams import RedisStreamsLog


def make_again(log: EventLog) -> None:
    """Delete the topic of a log with all its records, and make an empty one of the same name."""
    if isinstance(log, MemoryLog):
        log.make_again()
    elif isinstance(log, RedisStreamsLog):
        client = redis_client.connect(log.address.redis_url, timeout_s=5.0)
        for partition in range(log.partitions):
            client.delete(log.address.stream(partition))
        client.close()
    elif isinstance(log, KafkaLog):
        servers = list(log.address.servers)
        admin = kafka.KafkaAdminClient(bootstrap_servers=servers)
        admin.delete_topics([log.topic])
        wait_until(lambda: log.topic not in admin.list_topics(), f"{log.topic} to be deleted")
        admin.close()
        wait_until(lambda: _is_made(log), f"{log.topic} to be made again")
    else:
        raise TypeError(f"no way to make {log!r} again")


def _is_made(log: KafkaLog) -> bool:
    try:
        return log.ensure_topic(timeout_s=5.0) > 0
    except (KafkaError, OSError):
        return False
