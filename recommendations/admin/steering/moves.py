"""A list steered by hand, one move at a time: what stands where, as the actions of one rule; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from recommendations.core.actions import RuleAction
from recommendations.core.words import gettext as _
from recommendations.exceptions import InvalidQuery
from recommendations.pipeline.rules.base import MAX_ALSO, PART_FIELDS, RulePart, RuleSpec
from recommendations.pipeline.rules.pin import MAX_PINNED

MAX_UNDONE: Final = 20
"""Moves that can be undone."""

MAX_TEXT: Final = 200_000
"""Characters of a state, and of what can be undone, that a form may send."""


class Steered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule does by hand.

    Attributes
    ----------
    items : dict of str to int
        Rank, from 1, of each pinned item; no two have the same.
    sets : tuple of RulePart
        Pins of what matches, such as the newest three of a tag.
    excluded : tuple of str
        Items that are never shown.
    kept : tuple of RulePart
        Further actions, which the page shows and does not change.
    """

    items: dict[str, int] = {}
    sets: tuple[RulePart, ...] = ()
    excluded: tuple[str, ...] = ()
    kept: tuple[RulePart, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is steered."""
        return not (self.items or self.sets or self.excluded or self.kept)


def steered_by(spec: RuleSpec) -> Steered:
    """Return what a stored rule does, taken apart."""
    items: dict[str, int] = {}
    sets: list[RulePart] = []
    excluded: list[str] = []
    kept: list[RulePart] = []
    first = RulePart(**{name: getattr(spec, name) for name in PART_FIELDS})
    for part in (first, *spec.also):
        if part.action == RuleAction.PIN and part.items:
            for rank, item_id in enumerate(part.items, start=part.position):
                items = items if item_id in items else _put(items, item_id, rank)
        elif part.action == RuleAction.PIN:
            sets.append(part)
        elif part.action == RuleAction.EXCLUDE and part == _exclusion(part.items):
            excluded += [each for each in part.items if each not in excluded]
        else:
            kept.append(part)
    return Steered(items=items, sets=tuple(sets), excluded=tuple(excluded), kept=tuple(kept))


def parts_of_steered(steered: Steered) -> list[RulePart]:
    """Return the actions of the rule: items that follow each other are one action.

    Raises
    ------
    InvalidQuery
        They are more than a rule holds; the reason says how many.
    """
    runs: list[tuple[int, list[str]]] = []
    for item_id, rank in sorted(steered.items.items(), key=lambda pair: pair[1]):
        if runs and runs[-1][0] + len(runs[-1][1]) == rank and len(runs[-1][1]) < MAX_PINNED:
            runs[-1][1].append(item_id)
        else:
            runs.append((rank, [item_id]))
    pins = [RulePart(action=RuleAction.PIN, position=rank, items=tuple(ids)) for rank, ids in runs]
    excluded = [_exclusion(steered.excluded)] if steered.excluded else []
    parts = [*steered.kept, *pins, *steered.sets, *excluded]
    if len(parts) > 1 + MAX_ALSO:
        raise InvalidQuery(
            field="also",
            reason=_("%(parts)s actions are too many for one rule; the most is %(value)s")
            % {"parts": len(parts), "value": 1 + MAX_ALSO},
        )
    return parts


def pinned(steered: Steered, item_id: str, rank: int, *, size: int) -> Steered:
    """Return the list with an item pinned to a rank; a pinned one that stands there makes room downwards.

    One that is pushed below the last rank is not pinned any more.
    """
    others = {each: at for each, at in steered.items.items() if each != item_id}
    items = {each: at for each, at in _put(others, item_id, max(1, min(rank, size))).items() if at <= size}
    excluded = tuple(each for each in steered.excluded if each != item_id)
    return msgspec.structs.replace(steered, items=items, excluded=excluded)


def unpinned(steered: Steered, item_id: str) -> Steered:
    """Return the list with an item where it would stand by itself."""
    items = {each: at for each, at in steered.items.items() if each != item_id}
    return msgspec.structs.replace(steered, items=items)


def without(steered: Steered, item_id: str) -> Steered:
    """Return the list with an item never shown."""
    excluded = (*(each for each in steered.excluded if each != item_id), item_id)
    return msgspec.structs.replace(unpinned(steered, item_id), excluded=excluded)


def shown_again(steered: Steered, item_id: str) -> Steered:
    """Return the list with an item that may be shown again."""
    return msgspec.structs.replace(steered, excluded=tuple(each for each in steered.excluded if each != item_id))


def with_set(steered: Steered, part: RulePart) -> Steered:
    """Return the list with a pin of what matches; one of the same that stood elsewhere goes."""
    same = [each for each in steered.sets if _target(each) != _target(part)]
    return msgspec.structs.replace(steered, sets=(*same, part))


def without_set(steered: Steered, number: int) -> Steered:
    """Return the list without one of its pins of what matches, by its number from 0."""
    return msgspec.structs.replace(
        steered, sets=tuple(each for at, each in enumerate(steered.sets) if at != number)
    )  # fmt: skip


def dropped(before: Steered, after: Steered, *, moved: str) -> list[str]:
    """Return the items that lost their pin by a move of another one."""
    return [each for each in before.items if each not in after.items and each != moved]


def decoded(text: str) -> Steered:
    """Return a state that a form sent back.

    Raises
    ------
    InvalidQuery
        It is none.
    """
    try:
        return msgspec.json.decode(text[:MAX_TEXT], type=Steered)
    except msgspec.DecodeError as error:
        raise InvalidQuery(
            field="steered", reason=_("cannot be read (%(error)s); reload the page") % {"error": error}
        ) from error


def past_of(text: str) -> list[Steered]:
    """Return the states that can be gone back to, the newest last; none where they cannot be read."""
    try:
        return msgspec.json.decode(text[:MAX_TEXT] or "[]", type=list[Steered])[-MAX_UNDONE:]
    except msgspec.DecodeError:
        return []


def encoded(value: Steered | Sequence[Steered]) -> str:
    """Return a state, or those that can be gone back to, for a hidden field."""
    return msgspec.json.encode(value).decode()


def _put(items: dict[str, int], item_id: str, rank: int) -> dict[str, int]:
    """Return the ranks with one more item; those that stand there move on as far as they must."""
    found = {item_id: rank}
    free = rank + 1
    for each, at in sorted(items.items(), key=lambda pair: pair[1]):
        found[each] = at if at < rank else max(at, free)
        free = found[each] + 1 if at >= rank else free
    return found


def _exclusion(items: Iterable[str]) -> RulePart:
    return RulePart(action=RuleAction.EXCLUDE, items=tuple(items))


def _target(part: RulePart) -> RulePart:
    usual = RulePart(action=part.action)
    return msgspec.structs.replace(part, position=usual.position, pin_count=usual.pin_count, pin_order=usual.pin_order)
