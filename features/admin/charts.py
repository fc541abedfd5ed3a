"""The pictures of the RFM screen: the map of recency against frequency, and the segments' sizes over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from features.models import RfmSnapshot
from features.money import to_major
from features.segments import rfm

WIDTH: Final = 900
HEIGHT: Final = 260
MAX_POINTS: Final = 240
# Distinguishable with any colour vision (Okabe & Ito), darkened where white is behind; dashes tell the rest apart.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07A00", "#3B8FC2")
DASHES: Final = ("", "7 4", "2 3")


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the map: buyers with these scores."""

    recency: int
    frequency: int
    users: int
    share: float
    mean: float
    segment: str
    background: str


@dataclass(frozen=True, slots=True)
class Line:
    """One segment over time."""

    name: str
    points: str
    colour: str
    dash: str
    users: int
    change: int


def heat_map(snapshot: RfmSnapshot, segments: dict[tuple[int, int, int], str]) -> list[tuple[str, list[Cell]]]:
    """Return the rows of the map, the most recent buyers on top; a cell is darker the more buyers it has."""
    known = cells_of(snapshot)
    most = fullest(snapshot) or 1
    words = recency_words(bounds_of(snapshot, "last_purchase_ms"), made_at=snapshot.made_at)
    currency = snapshot.site.currency
    rows: list[tuple[str, list[Cell]]] = []
    for recency in reversed(rfm.SCORES):
        cells: list[Cell] = []
        for frequency in rfm.SCORES:
            users, mean = known[recency - 1][frequency - 1]
            shade = users / most
            cells.append(
                Cell(
                    recency=recency,
                    frequency=frequency,
                    users=users,
                    share=100 * users / max(snapshot.users, 1),
                    mean=to_major(mean, currency),
                    segment=segments[(recency, frequency, 5 if frequency >= 4 else 3)],
                    background=_mix(0.06 + 0.84 * shade) if users else "",
                )
            )
        rows.append((words[recency - 1], cells))
    return rows


def cells_of(snapshot: RfmSnapshot) -> list[list[tuple[int, int]]]:
    """Return users and their mean by recency and frequency, both 1 to 5; of what a run did not write, nobody."""
    try:
        found = {
            (recency, frequency): (int(users), int(mean))
            for recency, row in enumerate(snapshot.cells)
            for frequency, (users, mean) in enumerate(row)
        }
    except (TypeError, ValueError):
        found = {}
    return [[found.get((recency, frequency), (0, 0)) for frequency in range(5)] for recency in range(5)]


def fullest(snapshot: RfmSnapshot) -> int:
    """Return how many buyers the fullest field of the map has."""
    return max(users for row in cells_of(snapshot) for users, _ in row)


def bounds_of(snapshot: RfmSnapshot, measure: str) -> list[int]:
    """Return the four bounds of a measure; none where a run did not write them."""
    found = snapshot.bounds.get(measure) if isinstance(snapshot.bounds, dict) else None
    return found if isinstance(found, list) and len(found) == len(rfm.SCORES) - 1 else []


def lines(runs: Sequence[tuple[dt.datetime, dict[str, int]]]) -> list[Line]:
    """Return one line a segment, largest first; x by time, y by number of buyers."""
    step = max(1, len(runs) // MAX_POINTS)
    shown = [*runs[::step], runs[-1]]
    start, end = shown[0][0].timestamp(), shown[-1][0].timestamp()
    most = highest(runs)
    newest, oldest = runs[-1][1], runs[0][1]
    names = sorted({name for _, sizes in shown for name in sizes}, key=lambda name: -newest.get(name, 0))
    found: list[Line] = []
    for number, name in enumerate(names):
        points = " ".join(
            f"{_x(at.timestamp(), start, end):.1f},{HEIGHT * (1 - sizes.get(name, 0) / most):.1f}"
            for at, sizes in shown
        )
        found.append(
            Line(
                name=name,
                points=points if start != end else f"0,{_y(newest, name, most)} {WIDTH},{_y(newest, name, most)}",
                colour=COLOURS[number % len(COLOURS)],
                dash=DASHES[number // len(COLOURS) % len(DASHES)],
                users=newest.get(name, 0),
                change=newest.get(name, 0) - oldest.get(name, 0),
            )
        )
    return found


def _mix(share: float) -> str:
    """Return the map's blue over white; opaque, so that the text on it is readable in the dark theme, too."""
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in (0x2E, 0x86, 0xC8))


def _x(at: float, start: float, end: float) -> float:
    return WIDTH * (at - start) / (end - start) if end > start else 0.0


def _y(sizes: dict[str, int], name: str, most: int) -> float:
    return round(HEIGHT * (1 - sizes.get(name, 0) / most), 1)


def recency_words(bounds_ms: Sequence[int], *, made_at: dt.datetime) -> list[str]:
    """Return when the buyers of each recency score, 1 to 5, bought last; without bounds, the scores."""
    if not bounds_ms:
        return _scores()
    now_ms = made_at.timestamp() * 1000
    # From the longest ago to the newest: each fifth ends where the next begins.
    ages = [_age((now_ms - bound) / 86_400_000) for bound in bounds_ms]
    between = [
        _("%(newer)s to %(older)s ago") % {"newer": newer, "older": older}
        if newer != older
        else _("%(older)s ago") % {"older": older}
        for older, newer in pairwise(ages)
    ]
    return [_("over %(ages)s ago") % {"ages": ages[0]}, *between, _("within %(ages)s") % {"ages": ages[-1]}]


def order_words(bounds: Sequence[int]) -> list[str]:
    """Return how many orders the buyers of each frequency score, 1 to 5, made; without bounds, the scores."""
    if not bounds:
        return _scores()
    words = [_orders(1, bounds[0])]
    words += [_orders(low + 1, high) for low, high in pairwise(bounds)]
    return [*words, _("%(bounds)s or more orders") % {"bounds": bounds[-1] + 1}]


def _scores() -> list[str]:
    return [_("score %(score)s") % {"score": score} for score in rfm.SCORES]


def _orders(low: int, high: int) -> str:
    if low > high:
        return _("nobody")
    return (
        ngettext("%(count)s order", "%(count)s orders", low) % {"count": low}
        if low == high
        else _("%(low)s to %(high)s orders") % {"low": low, "high": high}
    )


def _age(days: float) -> str:
    if days < 2:
        hours = max(1, round(days * 24))
        return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
    return (
        _("%(days)s days") % {"days": f"{days:.0f}"}
        if days < 90
        else _("%(days)s months") % {"days": f"{days / 30.4:.0f}"}
    )


def highest(runs: Sequence[tuple[dt.datetime, dict[str, int]]]) -> int:
    """Return the size of the largest segment in the span."""
    return max((users for _, sizes in runs for users in sizes.values()), default=1) or 1


SHADES: Final = tuple(_mix(0.06 + 0.84 * step / 4) for step in range(5))
"""The legend's colours, from few buyers to many."""
