"""The only module of this application that spells a Redis key; ``docs/redis-keys.md`` is compared with its table."""

from __future__ import annotations

from typing import Final

from tracking.keys import RedisKey

EXPLANATIONS: Final = RedisKey(
    name="what replies showed and why, by reply id", pattern="rs:{site-<site>}:why:<hour>", ttl=25 * 3_600
)
SHADOW: Final = RedisKey(
    name="how far a shadow agrees with the live version",
    pattern="rs:{site-<site>}:shadow:<version>",
    ttl=30 * 86_400,
)
REQUESTS: Final = RedisKey(
    name="requests of the last hour, without whose they were",
    pattern="rs:{site-<site>}:requests",
    ttl=3_600,
    eraser="features.privacy.erasure:erase_user",
)
SERVED: Final = RedisKey(
    name="how fast and how different lists of an experiment's arms were",
    pattern="rs:{site-<site>}:served:<experiment>",
    ttl=90 * 86_400,
)
OUTSIDE_SOURCES: Final = RedisKey(
    name="how a shop's own service does as a source, by process",
    pattern="rs:{site-<site>}:outside:<source>",
    ttl=3_600,
)
TRAINING_LOCK: Final = RedisKey(name="lock of the one training that runs", pattern="rs:{training}:lock", ttl=60)

TABLE: Final = (EXPLANATIONS, SHADOW, REQUESTS, SERVED, OUTSIDE_SOURCES, TRAINING_LOCK)


def explanations(site: str, hour: int) -> str:
    """Return the key of the hash of what replies of one hour (since 1970) showed, by reply id."""
    return f"rs:{{site-{site}}}:why:{hour}"


def shadow(site: str, version: str) -> str:
    """Return the key of the hash of how far a version in the shadow agrees with the live one."""
    return f"rs:{{site-{site}}}:shadow:{version}"


def requests(site: str) -> str:
    """Return the key of the ring of requests of the last hour."""
    return f"rs:{{site-{site}}}:requests"


def served(site: str, experiment: str) -> str:
    """Return the key of the hash of what was served for the arms of an experiment, by group of users."""
    return f"rs:{{site-{site}}}:served:{experiment}"


def outside_sources(site: str, source: str) -> str:
    """Return the key of the hash of what each process says of a service of the site, by process."""
    return f"rs:{{site-{site}}}:outside:{source}"


def training_lock() -> str:
    """Return the key of the lock that one training at a time holds, of whatever site."""
    return "rs:{training}:lock"
