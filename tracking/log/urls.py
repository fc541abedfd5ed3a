"""The URL of the event log: which backend it names; errors name the part that is wrong and the remedy."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from tracking.log.base import EventLog, InvalidLogUrl
from tracking.log.options import DEFAULT_TOPIC, MAX_PARTITIONS, Options, without_secrets

SCHEMES: Final = (
    "kafka", "kafka+ssl", "redis", "rediss", "redis+cluster", "rediss+cluster", "unix", "memory",
)  # fmt: skip
DEFAULT_PARTITIONS: Final = 4


def open_log(url: str, *, partitions: int = DEFAULT_PARTITIONS) -> EventLog:
    """Return the event log at ``url``; connects to nothing yet.

    ``partitions`` counts when the topic is made and the URL does not say how many; it never changes a topic.
    ``kafka://host:port[,host:port]/topic?partitions=8``, ``redis://host:port/db?stream=name&partitions=4``,
    ``unix:///path?db=0&stream=name``, or ``memory://name?partitions=4`` (the twin for tests). The other options
    are in ``docs/event-log.md``.

    Raises
    ------
    InvalidLogUrl
        The URL is malformed, or names an option that does not exist.
    """
    parts = _split(url)
    if parts.scheme.startswith("kafka"):
        from tracking.log.kafka import KafkaLog
        from tracking.log.kafka_client import read_kafka_url

        return KafkaLog(read_kafka_url(parts, partitions=partitions))
    if parts.scheme == "unix" or parts.scheme.startswith("redis"):
        from tracking.log.redis_streams import RedisStreamsLog
        from tracking.log.redis_topic import read_redis_url

        return RedisStreamsLog(read_redis_url(parts, partitions=partitions))
    from tracking.log.memory import MemoryLog

    options = Options(parts)
    partitions = options.integer("partitions", partitions, minimum=1, maximum=MAX_PARTITIONS)
    options.refuse_the_rest()
    return MemoryLog(name=parts.netloc or "default", topic=DEFAULT_TOPIC, partitions=partitions)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidLogUrl(f"event log URL {url!r} cannot be read: {error}") from error
    if parts.scheme not in SCHEMES:
        raise InvalidLogUrl(
            f"event log URL {without_secrets(parts)!r} must start with one of "
            f"{', '.join(scheme + '://' for scheme in SCHEMES)}"
        )
    if parts.fragment:
        raise InvalidLogUrl(f"event log URL {without_secrets(parts)!r} has a '#'; write %23 inside a password")
    return parts
