"""The newest few of something, as a mapping from a name to the time it was last seen.

*Newest time of each name, then the N newest names* is the same in whatever order events arrive, and however often:
a name that was pushed out has N newer ones before it, whose times only grow. So a mapping may hold more than N for
a while (trimming at every event would cost more than all else) and still mean the same: see ``newest``.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Final

SLACK: Final = 14
"""How many more than ``keep`` a stored mapping may hold before it is trimmed."""


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
