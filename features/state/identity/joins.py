"""Which anonymous ids are joined to a user: its newest, and of one UTC day not more than a person has browsers.

A user id that stands for many people (a till, an account that a whole office shares) would make one user of them all.
What lies beyond the cap keeps a profile of its own, and is exported and erased with the user as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from features.definitions import DAY_MS, JOINS_A_DAY, KEEP_ALIASES
from features.metrics import JOINS_LEFT_OUT
from features.state import recents

MAX_READ: Final = 5
"""Of the anonymous ids of a user, the newest so many are read along with it."""


def note(aliases: dict[str, int], anonymous_id: str, at_ms: int) -> None:
    """Note that the user was seen under an anonymous id; one that is new to it and beyond the cap is counted."""
    is_new = anonymous_id not in aliases
    recents.remember(aliases, anonymous_id, at_ms, keep=KEEP_ALIASES)
    if is_new and anonymous_id in aliases and anonymous_id not in joined(aliases):
        JOINS_LEFT_OUT.inc()


def joined(aliases: Mapping[str, int]) -> list[str]:
    """Return the anonymous ids that count as the user, the newest first.

    Those last seen on one UTC day are ``JOINS_A_DAY`` at most, those seen first among them; whatever order events came
    in, the same ones.
    """
    of_day: dict[int, int] = {}
    found: list[tuple[int, str]] = []
    for anonymous_id, at_ms in sorted(
        recents.newest(dict(aliases), keep=KEEP_ALIASES), key=lambda one: (one[1], one[0])
    ):
        day = at_ms // DAY_MS
        of_day[day] = of_day.get(day, 0) + 1
        if of_day[day] <= JOINS_A_DAY:
            found.append((at_ms, anonymous_id))
    return [anonymous_id for _, anonymous_id in reversed(found)]
