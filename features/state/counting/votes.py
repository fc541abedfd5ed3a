"""One vote a visitor: in popularity, a user counts for an item once a UTC day, and for so many items a day.

The counts of visitors stand beside those of views and pieces, which a merchandiser wants as they are. A user's events
come to one worker, so its own state knows what it voted for: visitors are counted exactly, not estimated, and a replay
counts them the same. A vote stands in the minute of the first such event of the day; an earlier one that arrives later
moves it there, so the order of events within the lateness window does not matter.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

from features.definitions import DAY_MS, VOTES_A_DAY

Votes = dict[int, list[int]]  # UTC day → hash of the item, kind and minute of the day, in 32 bits each

_MINUTE_MS: Final = 60_000
_MINUTE_BITS: Final = 11
_KIND_BITS: Final = 2
_KINDS: Final = (1 << _KIND_BITS) - 1
_MOST_A_DAY: Final = 6 * VOTES_A_DAY  # with those that are remembered in case another one is withdrawn
_HASH_BITS: Final = 32 - _MINUTE_BITS - _KIND_BITS
"""Two items of one user and day fall together once in half a million pairs; the second then has no vote."""


class VoteChange(NamedTuple):
    """A visitor more, or less, of an item at an event time."""

    at_ms: int
    amount: int


def cast(
    votes: Votes, *, item_id: str, kind: int, at_ms: int, oldest_ms: int, may_be_withdrawn: bool = False
) -> tuple[VoteChange, ...]:
    """Note that the user did something with an item; return what that changes in the item's count of visitors.

    Parameters
    ----------
    votes : Votes
        Those of the user; changed in place. Days before that of ``oldest_ms`` are forgotten.
    kind : int
        From 0 to 3; each kind has its own votes.
    oldest_ms : int
        Event time before which no event of this user counts any more; older ones have no vote.
    may_be_withdrawn : bool
        Remember it also where the user has a vote that day, so that it stands when that one is withdrawn.
    """
    day, minute = at_ms // DAY_MS, at_ms % DAY_MS // _MINUTE_MS
    first_day = oldest_ms // DAY_MS
    if day < first_day:
        return ()
    of_day = votes.get(day)
    if of_day is None:
        of_day = votes[day] = []
    if len(votes) > 1:
        for past in [known for known in votes if known < first_day]:
            del votes[past]
    name = _name(item_id, kind)
    if may_be_withdrawn and (minutes := _minutes(of_day, name)):
        if len(of_day) < _MOST_A_DAY:
            of_day.append(name << _MINUTE_BITS | minute)
        if minute >= minutes[0]:
            return ()
        return VoteChange(_time(day, minutes[0]), -1), VoteChange(_time(day, minute), 1)
    of_kind = 0
    for position, known in enumerate(of_day):
        known_name = known >> _MINUTE_BITS
        if known_name == name:
            known_minute = known % (1 << _MINUTE_BITS)
            if minute >= known_minute:
                return ()
            of_day[position] = name << _MINUTE_BITS | minute
            return VoteChange(_time(day, known_minute), -1), VoteChange(_time(day, minute), 1)
        of_kind += known_name & _KINDS == kind
    if of_kind >= VOTES_A_DAY:
        return ()
    of_day.append(name << _MINUTE_BITS | minute)
    return (VoteChange(_time(day, minute), 1),)


def withdraw(votes: Votes, *, item_id: str, kind: int, at_ms: int) -> tuple[VoteChange, ...]:
    """Take a vote back that ``may_be_withdrawn``, as long as it is remembered; return what that changes."""
    day, minute = at_ms // DAY_MS, at_ms % DAY_MS // _MINUTE_MS
    of_day, name = votes.get(day, []), _name(item_id, kind)
    minutes = _minutes(of_day, name)
    if minute not in minutes:
        return ()
    of_day.remove(name << _MINUTE_BITS | minute)
    if not of_day:
        del votes[day]
    left = minutes[1:]
    if minute != minutes[0] or left[:1] == [minute]:
        return ()
    return (VoteChange(_time(day, minute), -1), *(VoteChange(_time(day, first), 1) for first in left[:1]))


def current(votes: Votes, *, oldest_ms: int) -> list[tuple[int, list[int]]]:
    """Return the votes that can still matter, in order: equal for equal meaning."""
    return [(day, sorted(votes[day])) for day in sorted(votes) if day >= oldest_ms // DAY_MS]


def join(older: Votes, newer: Votes) -> Votes:
    """Return the votes of two profiles of one user; the first event of a day counts."""
    joined: Votes = {}
    for day in sorted({*older, *newer}):
        first: dict[int, int] = {}
        for vote in sorted([*older.get(day, ()), *newer.get(day, ())]):
            first.setdefault(vote >> _MINUTE_BITS, vote)
        joined[day] = list(first.values())
    return joined


def _name(item_id: str, kind: int) -> int:
    return zlib.crc32(item_id.encode()) % (1 << _HASH_BITS) << _KIND_BITS | kind


def _minutes(of_day: list[int], name: int) -> list[int]:
    """Return the minutes of the votes for an item, the one that counts first."""
    return sorted(known % (1 << _MINUTE_BITS) for known in of_day if known >> _MINUTE_BITS == name)


def _time(day: int, minute: int) -> int:
    return day * DAY_MS + minute * _MINUTE_MS
