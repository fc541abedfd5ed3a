"""Which events of a user were counted: the hashes of their ids, as far back as one may still come again.

A state is bounded, so of a busy user not every id of the window can be remembered. Orders have a memory of their own:
however much else a user does, a late purchase or refund is still told from one that came before.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from msgspec import Struct, field

from features.definitions import KEEP_SEEN, KEEP_SEEN_ORDERS
from tracking.contract.events import Purchase, Refund

ORDERS: Final = (Purchase, Refund)
"""The kinds of events whose ids no other event pushes out."""


class Limits(NamedTuple):
    """How many ids are kept at most, and above how many the old ones are looked for."""

    keep: int
    prune_above: int


CLICK_LIMITS: Final = Limits(KEEP_SEEN, prune_above=32)  # seldom: looking for old ones costs more than all else here
ORDER_LIMITS: Final = Limits(KEEP_SEEN_ORDERS, prune_above=4)


class SeenIds(Struct, array_like=True):
    """Hash of each event id → epoch seconds of its event; everything up to ``until_s`` counts as seen."""

    at_s: dict[int, int] = field(default_factory=dict)
    until_s: int = 0


def hash_id(event_id: str) -> int:
    """Return a 64-bit hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(event_id.encode(), digest_size=8).digest(), "little")


def remember(ids: dict[int, int], hashed: int, *, at_s: int, until_s: int, lateness_s: int, limits: Limits) -> int:
    """Note an id, and return up to which event time everything counts as seen; ``until_s`` is what it was before.

    Ids that are too late to come again are forgotten; beyond ``limits.keep`` of them, what is as old as the oldest is
    refused. That bounds a state at the price of order: of a user with more than that many such events in the window,
    one that was overtaken by half as many counts as late. Nothing is ever counted twice.
    """
    ids[hashed] = at_s
    if len(ids) <= limits.prune_above:
        return until_s
    oldest_s = max(ids.values()) - lateness_s
    for old in [known for known, known_s in ids.items() if known_s < oldest_s]:
        del ids[old]
    return _forget(ids, until_s=until_s, keep=limits.keep // 2) if len(ids) > limits.keep else until_s


def forget_older_half(ids: dict[int, int], *, until_s: int) -> int:
    """Forget at least the older half of the ids; return up to which event time everything counts as seen from now."""
    return _forget(ids, until_s=until_s, keep=len(ids) // 2)


def _forget(ids: dict[int, int], *, until_s: int, keep: int) -> int:
    times = sorted(ids.values())
    until_s = max(until_s, times[len(times) - keep - 1])
    for old in [known for known, known_s in ids.items() if known_s <= until_s]:
        del ids[old]
    return until_s


def join(older: SeenIds, newer: SeenIds) -> SeenIds:
    """Return what either has seen."""
    return SeenIds({**older.at_s, **newer.at_s}, max(older.until_s, newer.until_s))
