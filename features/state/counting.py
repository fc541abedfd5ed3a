"""Pure: the counts that ``definitions`` declares, moved by events and read from a profile.

The counts of version 0.1 have fields of their own in a profile; later ones stand in its ``counts`` by their name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from features.definitions import PROFILE, Field
from features.state.states import ProfileState
from tracking.contract.events import CustomEvent, Event

_OWN_FIELDS: Final = frozenset(ProfileState.__struct_fields__)

Moves = dict[str, tuple[tuple[str, bool, bool], ...]]  # event → (count, per item?, a field of its own?)


def moves_of(fields: Iterable[Field]) -> Moves:
    """Return what each event moves, by the event's name."""
    moves: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for one in fields:
        if one.counts is not None:
            moves[one.counts.event].append((one.name, one.counts.per == "item", one.name in _OWN_FIELDS))
    return {event: tuple(counts) for event, counts in moves.items()}


MOVES: Final = moves_of(PROFILE.fields)
COUNTS: Final = tuple(one.name for one in PROFILE.fields if one.counts is not None)


def count_event(profile: ProfileState, event: Event | CustomEvent, moves: Moves = MOVES) -> None:
    """Count an event wherever it is declared to count; events of the shop's own have no items."""
    if isinstance(event, CustomEvent):
        name, n_items = event.event, 0
    else:
        name, n_items = str(event.__struct_config__.tag), len(getattr(event.params, "items", ()))
    for count, is_per_item, is_own in moves.get(name, ()):
        amount = n_items if is_per_item else 1
        if is_own:
            setattr(profile, count, getattr(profile, count) + amount)
        else:
            profile.counts[count] = profile.counts.get(count, 0) + amount


def read_count(profile: ProfileState, name: str) -> int:
    """Return one declared count of a profile."""
    value: int = getattr(profile, name) if name in _OWN_FIELDS else profile.counts.get(name, 0)
    return value
