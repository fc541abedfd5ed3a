"""The only module of this application that spells a Redis key, and the shape in which every application lists its own.

``docs/redis-keys.md`` is compared with these tables, and so are the keys of a real Redis after the end-to-end run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NO_PERSONAL_DATA: Final = "no personal data"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisKey:
    """One kind of key.

    Attributes
    ----------
    pattern : str
        With placeholders in angle brackets: ``rs:{p<partition>}:<site>:session:<user key>``.
    ttl : int or str
        The longest it stays after its last write, in seconds; or the setting that says so; or ``none: why``.
    eraser : str
        What removes a user's data from it, as ``module:function``; ``no personal data``; or what bounds it instead.
    """

    name: str
    pattern: str
    ttl: int | str
    eraser: str = NO_PERSONAL_DATA

    @property
    def ttl_s(self) -> int:
        """The TTL in seconds, of a key whose TTL is no setting."""
        if not isinstance(self.ttl, int):
            raise TypeError(f"the TTL of {self.name!r} is {self.ttl!r}, not a number of seconds")
        return self.ttl

    @property
    def is_of_a_user(self) -> bool:
        """Whether there is one key for each user."""
        return "<user key>" in self.pattern


LOG_RECORDS: Final = RedisKey(
    name="records of the event log",
    pattern="rs:{p<partition>}:log:<topic>",
    ttl="none: a stream, trimmed to the keep_records and max_records of EVENT_LOG_URL",
    eraser="retention: the log forgets records by their age alone; a replay leaves out erased users",
)
LOG_IDENTITY: Final = RedisKey(
    name="identity of a partition's records",
    pattern="rs:{p<partition>}:log-identity:<topic>",
    ttl="none: it tells a stream that was deleted and made again from the one before",
)
LEASE: Final = RedisKey(name="lease of a partition", pattern="rs:{p<partition>}:lease:<topic>:<group>", ttl=4)
LOG_MEMBERS: Final = RedisKey(
    name="living members of a group", pattern="rs:{members}:<topic>:<group>", ttl=2 * LEASE.ttl_s
)
LOG_PARTITIONS: Final = RedisKey(
    name="number of partitions of a topic",
    pattern="rs:{log}:partitions:<topic>",
    ttl="none: states stand under it for as long as the topic exists",
)
DEAD_LETTERS_READ: Final = RedisKey(
    name="position up to which dead letters are in the database",
    pattern="rs:{dead-letters}:read:<log class>:<topic>",
    ttl="none: lost, it would bring every dead letter into the database again",
)
IDEMPOTENCY: Final = RedisKey(
    name="reply to a request with an Idempotency-Key",
    pattern="rs:<site>:idempotency:<key id>:<hash>",
    ttl=86_400,
)
LIVE_EVENTS: Final = RedisKey(
    name="newest events, for the Live events page",
    pattern="rs:<site>:live_events",
    ttl=3_600,
    eraser="features.privacy.erasure:erase_user",
)
QUALITY_HOUR: Final = RedisKey(
    name="counts of the data-quality page in an hour", pattern="rs:<site>:quality_hour:<hour>", ttl=26 * 3_600
)
QUALITY_DAY: Final = RedisKey(
    name="counts of the data-quality page in a UTC day", pattern="rs:<site>:quality_day:<day>", ttl=31 * 86_400
)
QUALITY_SAMPLES: Final = RedisKey(
    name="values that were mended or refused, for the data-quality page",
    pattern="rs:<site>:quality_samples:<day>",
    ttl=7 * 86_400,
    eraser="features.privacy.erasure:erase_user",
)
QUALITY_ORDERS: Final = RedisKey(
    name="hashes of the orders of a UTC day, to see which are reported again",
    pattern="rs:<site>:quality_orders:<day>",
    ttl=2 * 86_400,
)
CLOCKS: Final = RedisKey(name="processes whose clock was off", pattern="rs:{clocks}", ttl=86_400)
QUOTA: Final = RedisKey(name="requests of an API key or an address in this minute", pattern="rs:quota:<rest>", ttl=120)

TABLE: Final = (
    LOG_RECORDS, LOG_IDENTITY, LEASE, LOG_MEMBERS, LOG_PARTITIONS, DEAD_LETTERS_READ, IDEMPOTENCY, LIVE_EVENTS,
    QUALITY_HOUR, QUALITY_DAY, QUALITY_SAMPLES, QUALITY_ORDERS, CLOCKS, QUOTA,
)  # fmt: skip

ANNOUNCE_CHANNEL: Final = "rs:announce"
"""Not a key: the channel on which processes tell each other that a snapshot is out of date."""

QUOTA_PREFIX: Final = "rs:quota"
"""What the rate limiter's own keys begin with."""


def log_records(partition: int, topic: str) -> str:
    """Return the key of a partition's records."""
    return f"rs:{{p{partition}}}:log:{topic}"


def log_identity(partition: int, topic: str) -> str:
    """Return the key of what tells a partition's records from those of a stream before it."""
    return f"rs:{{p{partition}}}:log-identity:{topic}"


def lease(partition: int, topic: str, group: str) -> str:
    """Return the key that says which member of ``group`` reads a partition."""
    return f"rs:{{p{partition}}}:lease:{topic}:{group}"


def log_members(topic: str, group: str) -> str:
    """Return the key of the living members of ``group``."""
    return f"rs:{{members}}:{topic}:{group}"


def log_partitions(topic: str) -> str:
    """Return the key that holds the number of partitions the topic was made with."""
    return f"rs:{{log}}:partitions:{topic}"


def dead_letters_read(log_class: str, topic: str) -> str:
    """Return the key of the hash of up to where each partition's dead letters were read."""
    return f"rs:{{dead-letters}}:read:{log_class}:{topic}"


def idempotency(site: str, key_id: int | str, digest: str) -> str:
    """Return the key of what was answered to a request, by the hash of its Idempotency-Key."""
    return f"rs:{site}:idempotency:{key_id}:{digest}"


def live_events(site: str) -> str:
    """Return the key of a site's newest events."""
    return f"rs:{site}:live_events"


def quality_hour(site: str, hour: int) -> str:
    """Return the key of a site's counts of data quality in an hour since 1970."""
    return f"rs:{site}:quality_hour:{hour}"


def quality_day(site: str, day: int) -> str:
    """Return the key of a site's counts of data quality in a UTC day since 1970."""
    return f"rs:{site}:quality_day:{day}"


def quality_samples(site: str, day: int) -> str:
    """Return the key of the values of a UTC day that were mended or refused."""
    return f"rs:{site}:quality_samples:{day}"


def quality_orders(site: str, day: int) -> str:
    """Return the key of the hashes of a UTC day's orders."""
    return f"rs:{site}:quality_orders:{day}"
