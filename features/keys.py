"""The only module of this application that spells a Redis key; ``docs/redis-keys.md`` is compared with its table.

Every key of a partition begins with the same hash tag, ``{p<partition>}``, so that one transaction may touch all of
them on a Redis Cluster. The site comes next; whoever deletes or counts a site's keys needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from features.definitions import ITEM_WINDOWS, ORDER_TTL_S
from tracking.contract.events import log_key
from tracking.contract.user_key import UserKey
from tracking.keys import RedisKey
from tracking.log.base import partition_for

_ERASER: Final = "features.privacy.erasure:erase_user"

SESSION_STATE: Final = RedisKey(
    name="session state",
    pattern="rs:{p<partition>}:<site>:session:<user key>",
    ttl="SESSION_TTL_S",
    eraser=_ERASER,
)
PROFILE_STATE: Final = RedisKey(
    name="profile state",
    pattern="rs:{p<partition>}:<site>:profile:<user key>",
    ttl="PROFILE_TTL_S",
    eraser=_ERASER,
)
SEGMENT: Final = RedisKey(
    name="RFM scores and segment",
    pattern="rs:{p<partition>}:<site>:segment:<user key>",
    ttl="PROFILE_TTL_S",
    eraser=_ERASER,
)
ORDER: Final = RedisKey(
    name="an order: its lines, values and refunds",
    pattern="rs:{p<partition>}:<site>:order:<order>:<user key>",
    ttl=ORDER_TTL_S,
    eraser=_ERASER,
)
ORDERS_OF_USER: Final = RedisKey(
    name="which orders stand with a user",
    pattern="rs:{p<partition>}:<site>:orders:<user key>",
    ttl=ORDER_TTL_S,
    eraser=_ERASER,
)
ORDER_OWNER: Final = RedisKey(
    name="the user key with which an order stands",
    pattern="rs:{o<number>}:<site>:order-owner:<order>",
    ttl=ORDER_TTL_S,
    eraser=_ERASER,
)
ITEM_PANE: Final = RedisKey(
    name="item counts of one pane of event time",
    pattern="rs:{p<partition>}:<site>:items:<width>:<pane>",
    ttl=max(window_s + 2 * width_s for _, width_s, window_s in ITEM_WINDOWS),
)
UNKNOWN_PANE: Final = RedisKey(
    name="counts of items that the catalogue does not have, a bounded number a pane",
    pattern="rs:{p<partition>}:<site>:unknown-items:<width>:<pane>",
    ttl=ITEM_PANE.ttl,
)
PLACEMENT_DAY: Final = RedisKey(
    name="placement counts of one UTC day",
    pattern="rs:{p<partition>}:<site>:placements:<day>",
    ttl=40 * 86_400,
)
UNKNOWN_LISTS: Final = RedisKey(
    name="counts of lists that are no placements, a bounded number a UTC day",
    pattern="rs:{p<partition>}:<site>:unknown-lists:<day>",
    ttl=PLACEMENT_DAY.ttl,
)
ARMS: Final = RedisKey(
    name="sums of an experiment by arm, over its users",
    pattern="rs:{p<partition>}:<site>:arms:<experiment>",
    ttl=200 * 86_400,
)
POSITION: Final = RedisKey(
    name="next position to apply",
    pattern="rs:{p<partition>}:position:<log>",
    ttl="none: without it a worker would apply the log from its beginning",
)
ARCHIVE_POSITION: Final = RedisKey(
    name="next position to archive",
    pattern="rs:{p<partition>}:archived:<log>",
    ttl="none: without it the archive would be written from the log's beginning",
)
UNPARKED: Final = RedisKey(
    name="next parked record to send again",
    pattern="rs:{p<partition>}:unparked:<log>",
    ttl="none: without it parked records would be sent twice",
)
PROGRESS: Final = RedisKey(
    name="watermarks and totals of a partition",
    pattern="rs:{p<partition>}:progress:<log>",
    ttl="PROFILE_TTL_S",
)
ERASED: Final = RedisKey(
    name="erased users, by hash, whom a replay must not bring back",
    pattern="rs:{p<partition>}:<site>:erased",
    ttl=30 * 86_400,
)
ITEM_STATS: Final = RedisKey(name="merged item counts of a site", pattern="rs:{site-<site>}:item-stats", ttl=8 * 86_400)
WRITE_BEHIND: Final = RedisKey(
    name="time of the last run that stored profiles", pattern="rs:{site-<site>}:write-behind", ttl=7 * 86_400
)

TABLE: Final = (
    SESSION_STATE, PROFILE_STATE, SEGMENT, ORDER, ORDERS_OF_USER, ORDER_OWNER,
    ITEM_PANE, UNKNOWN_PANE, PLACEMENT_DAY, UNKNOWN_LISTS, ARMS, POSITION,
    ARCHIVE_POSITION, UNPARKED, PROGRESS, ERASED, ITEM_STATS, WRITE_BEHIND,
)  # fmt: skip

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


def arms(partition: int, site: str, experiment: str) -> str:
    """Return the key of the hash of an experiment's sums, by arm and step."""
    return f"rs:{{p{partition}}}:{site}:arms:{experiment}"


def session(partition: int, site: str, user_key: str) -> str:
    """Return the key of a user's session state."""
    return f"rs:{{p{partition}}}:{site}:session:{user_key}"


def profile(partition: int, site: str, user_key: str) -> str:
    """Return the key of a user's profile state."""
    return f"rs:{{p{partition}}}:{site}:profile:{user_key}"


def states(partition: int, view: str, users: Iterable[tuple[str, str]]) -> list[str]:
    """Return the keys of the states of a view, of many users (site, user key) of a partition at once."""
    tag = prefix(partition)
    return [f"{tag}{site}:{view}:{user_key}" for site, user_key in users]


def segment(partition: int, site: str, user_key: str) -> str:
    """Return the key of a user's RFM scores and segment."""
    return f"rs:{{p{partition}}}:{site}:segment:{user_key}"


def order(partition: int, site: str, user_key: str, hashed: int) -> str:
    """Return the key of an order that stands with a user; ``hashed`` is the hash of its transaction id."""
    return f"rs:{{p{partition}}}:{site}:order:{hashed:016x}:{user_key}"


def orders_of_user(partition: int, site: str, user_key: str) -> str:
    """Return the key of the set of orders, by the hash of their transaction ids, that stand with a user."""
    return f"rs:{{p{partition}}}:{site}:orders:{user_key}"


ORDER_TAGS: Final = 16
"""Owners of orders are spread over so many hash tags: who reports an order first, on any partition, claims it."""


def order_owner(site: str, hashed: int) -> str:
    """Return the key of the name of the user key with which an order stands."""
    return f"{owners_prefix(hashed % ORDER_TAGS)}{site}:order-owner:{hashed:016x}"


def owners_prefix(number: int) -> str:
    """Return what the keys of owners under one of the ``ORDER_TAGS`` begin with."""
    return f"rs:{{o{number}}}:"


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


def unknown_pane(partition: int, site: str, width_s: int, pane: int) -> str:
    """Return the key of the hash that holds the counts of unknown items in one pane of event time."""
    return f"rs:{{p{partition}}}:{site}:unknown-items:{width_s}:{pane}"


def placement_day(partition: int, site: str, day: int) -> str:
    """Return the key of the hash that holds the placement counts of one UTC day (days since 1970)."""
    return f"rs:{{p{partition}}}:{site}:placements:{day}"


def unknown_lists(partition: int, site: str, day: int) -> str:
    """Return the key of the hash that holds the counts of unknown lists of one UTC day (days since 1970)."""
    return f"rs:{{p{partition}}}:{site}:unknown-lists:{day}"


def pane_of(item_pane_key: str) -> tuple[int, int]:
    """Return width in seconds and number of the pane in a key that ``item_pane`` or ``unknown_pane`` spelled."""
    _, width_s, number = item_pane_key.rsplit(":", 2)
    return int(width_s), int(number)


_UNKNOWN_BESIDE: Final = {"items": "unknown-items", "placements": "unknown-lists"}


def unknown_beside(key: str) -> str:
    """Return the key where a hash's unknown items or lists are counted; that itself where it has none."""
    for name, unknown in _UNKNOWN_BESIDE.items():
        if f":{name}:" in key:
            head, _, tail = key.rpartition(f":{name}:")
            return f"{head}:{unknown}:{tail}"
    return key


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
