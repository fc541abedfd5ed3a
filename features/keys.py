"""The only module that spells a Redis key.

Every key of a partition begins with the same hash tag, ``{p<partition>}``, so that one transaction may touch all of
them on a Redis Cluster. The site comes next; whoever deletes or counts a site's keys needs nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from tracking.contract.events import log_key
from tracking.contract.user_key import UserKey
from tracking.log.base import partition_for

CHANGED_CHANNEL: Final = "rs:changed"
"""Where the stream worker announces whose features changed."""

SESSION: Final = "session"
PROFILE: Final = "profile"


@lru_cache(maxsize=65_536)
def partition_of(site: str, user_key: UserKey, partitions: int) -> int:
    """Return the partition that holds a user's events and states: Kafka's murmur2 of the record's key."""
    return partition_for(log_key(site, user_key), partitions)


def prefix(partition: int) -> str:
    """Return what all keys of a partition begin with."""
    return f"rs:{{p{partition}}}:"


def session(partition: int, site: str, user_key: str) -> str:
    """Return the key of a user's session state."""
    return f"rs:{{p{partition}}}:{site}:session:{user_key}"


def profile(partition: int, site: str, user_key: str) -> str:
    """Return the key of a user's profile state."""
    return f"rs:{{p{partition}}}:{site}:profile:{user_key}"


def segment(partition: int, site: str, user_key: str) -> str:
    """Return the key of a user's RFM scores and segment."""
    return f"rs:{{p{partition}}}:{site}:segment:{user_key}"


def states_pattern(partition: int, view: str, *, site: str = "*") -> str:
    """Return the SCAN pattern of all states of a view in a partition."""
    return f"rs:{{p{partition}}}:{site}:{view}:*"


def everything_pattern(partition: int) -> str:
    """Return the SCAN pattern of all keys of a partition."""
    return f"rs:{{p{partition}}}:*"


def split_state(key: str) -> tuple[str, str, str]:
    """Return site, view and user key of a state's key."""
    _, _, site, view, user_key = key.split(":", 4)
    return site, view, user_key


def item_pane(partition: int, site: str, width_s: int, pane: int) -> str:
    """Return the key of the hash that holds the item counts of one pane of event time."""
    return f"rs:{{p{partition}}}:{site}:items:{width_s}:{pane}"


def placement_day(partition: int, site: str, day: int) -> str:
    """Return the key of the hash that holds the placement counts of one UTC day (days since 1970)."""
    return f"rs:{{p{partition}}}:{site}:placements:{day}"


def position(partition: int, log_name: str) -> str:
    """Return the key of the next position of the log to apply."""
    return f"rs:{{p{partition}}}:position:{log_name}"


def archive_position(partition: int, log_name: str) -> str:
    """Return the key of the next position of the log to archive."""
    return f"rs:{{p{partition}}}:archived:{log_name}"


def unparked(partition: int, log_name: str) -> str:
    """Return the key of the next parked record to send again."""
    return f"rs:{{p{partition}}}:unparked:{log_name}"


def progress(partition: int, log_name: str) -> str:
    """Return the key of the partition's watermarks and totals."""
    return f"rs:{{p{partition}}}:progress:{log_name}"


def item_stats(site: str) -> str:
    """Return the key of a site's merged item counts; one blob, read by web processes."""
    return f"rs:{{site-{site}}}:item-stats"


def write_behind_run(site: str) -> str:
    """Return the key of the time of the last run that stored a site's profiles in the database."""
    return f"rs:{{site-{site}}}:write-behind"


def erased(partition: int, site: str) -> str:
    """Return the key of the hash of erased users, which a replay must not bring back."""
    return f"rs:{{p{partition}}}:{site}:erased"


def worker_heartbeat(name: str) -> str:
    """Return the key under which a stream worker says that it lives."""
    return f"rs:{{workers}}:{name}"


def explanations(site: str, hour: int) -> str:
    """Return the key of the hash of what replies of one hour (since 1970) showed, by reply id."""
    return f"rs:{{site-{site}}}:why:{hour}"


def shadow(site: str, version: str) -> str:
    """Return the key of the hash of how far a version in the shadow agrees with the live one."""
    return f"rs:{{site-{site}}}:shadow:{version}"


def training_lock() -> str:
    """Return the key of the lock that one training at a time holds, of whatever site."""
    return "rs:{training}:lock"
