"""The newest few of something, as a mapping from a name to the time it was last seen.

*Newest time of each name, then the N newest names* is the same in whatever order events arrive, and however often:
a name that was pushed out has N newer ones before it, whose times only grow. So a mapping may hold more than N for
a while (trimming at every event would cost more than all else) and still mean the same: see ``newest``.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Final

STEPS: Final = frozenset("cpvw")
"""Kinds of interaction (the first letter of a name) that are steps of a session, for the ranker as in training: items
that were put into the cart, purchased, viewed, wished for. A click in a list is none: the view that follows is."""

REPEATED: Final = frozenset("cvw")
"""Steps of which every time counts. Page and server may both report an order, so of purchases the newest does."""

SLACK: Final = 14
"""How many more than ``keep`` a stored mapping may hold before it is trimmed."""


LONGEST_SESSION_MS: Final = 24 * 3_600_000
"""The tracker begins a new session after a day, so what was repeated before is of no session that goes on."""

_age_order: Final = itemgetter(1, 0)  # time, then name


def remember(times: dict[str, int], name: str, at_ms: int, *, keep: int) -> None:
    """Note in ``times`` that ``name`` was seen at ``at_ms``; trims now and then."""
    if times.get(name, -1) < at_ms:
        times[name] = at_ms
        if len(times) > keep + SLACK:
            trim(times, keep=keep)


def trim(times: dict[str, int], *, keep: int) -> None:
    """Drop all but the ``keep`` newest; of equal times, the greater name counts as newer."""
    if len(times) > keep:
        for name, _ in sorted(times.items(), key=_age_order)[:-keep]:
            del times[name]


def newest(times: dict[str, int], *, keep: int) -> list[tuple[str, int]]:
    """Return the ``keep`` newest names with their times, newest first."""
    return sorted(times.items(), key=_age_order, reverse=True)[:keep]


Repeats = dict[str, list[int]]
"""Name -> times before its newest; none twice, unless it happened twice in that millisecond."""


def note(times: dict[str, int], repeats: Repeats, name: str, at_ms: int, *, keep: int) -> None:
    """Note an interaction, whose name begins with its kind, in ``times``, and what it repeats in ``repeats``.

    *The newest ``keep`` steps* (``newest_steps``) are then the same in whatever order steps arrive, each once: what is
    among them at the end was among the newest all the time, and so was the newest time of its name.
    """
    known = times.get(name, -1)
    if known < at_ms:
        times[name] = at_ms
    if known < 0 or name[0] not in REPEATED:
        if len(times) > keep + SLACK:
            trim_steps(times, repeats, keep=keep)
        return
    repeats.setdefault(name, []).append(min(known, at_ms))
    if sum(map(len, repeats.values())) > SLACK:
        trim_steps(times, repeats, keep=keep)


def trim_steps(times: dict[str, int], repeats: Repeats, *, keep: int) -> None:
    """Drop names that are neither among the ``keep`` newest nor name one of the ``keep`` newest steps, and old repeats.

    Names may be up to twice ``keep``, where clicks in lists stand between steps; they are trimmed now and then, too.
    """
    others = sum(name[0] not in STEPS for name in times)
    if len(times) > keep + min(others, keep) + SLACK:
        kept = dict(kept_names(times, keep=keep))
        for name in [name for name in times if name not in kept]:
            del times[name]
    if repeats:
        left = newest_repeats(times, repeats, keep=keep)
        repeats.clear()
        repeats.update(left)


def kept_names(times: dict[str, int], *, keep: int) -> list[tuple[str, int]]:
    """Return the ``keep`` newest names, and the ``keep`` newest that are steps, with their times, newest first."""
    ordered = sorted(times.items(), key=_age_order, reverse=True)
    steps = [one for one in ordered if one[0][0] in STEPS][:keep]
    return sorted({*ordered[:keep], *steps}, key=_age_order, reverse=True)


def newest_steps(times: dict[str, int], repeats: Repeats, *, keep: int) -> list[tuple[str, int]]:
    """Return the ``keep`` newest steps as name and time, newest first, repeats kept."""
    steps = [one for one in times.items() if one[0][0] in STEPS]
    for name, earlier in repeats.items():
        steps += [(name, at_ms) for at_ms in earlier]
    steps.sort(key=_age_order, reverse=True)
    return steps[:keep]


def newest_repeats(times: dict[str, int], repeats: Repeats, *, keep: int) -> Repeats:
    """Return the repeats of the last day that are among the ``keep`` newest steps; each name's newest first."""
    left: Repeats = {}
    met: set[str] = set()
    steps = newest_steps(times, repeats, keep=keep)
    oldest_ms = steps[0][1] - LONGEST_SESSION_MS if steps else 0
    for name, at_ms in steps:
        if name in met and at_ms >= oldest_ms:
            left.setdefault(name, []).append(at_ms)
        met.add(name)
    return left
