"""RFM: the map of recency against frequency, the sizes of the segments over time, and where their bounds are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.admin import ModelAdmin

from features import rfm
from features.models import RfmSnapshot, SegmentThreshold
from tracking.admin.screens import screen
from tracking.models import Site

CHART_WIDTH: Final = 900
CHART_HEIGHT: Final = 260
MAX_POINTS: Final = 240
SPANS: Final = {"day": dt.timedelta(days=1), "week": dt.timedelta(days=7), "year": dt.timedelta(days=365)}
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
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One segment over time."""

    name: str
    points: str
    colour: str
    dash: str
    users: int
    change: int


@admin.register(SegmentThreshold)
class SegmentThresholdAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Segments and their bounds; the first one that fits a buyer counts."""

    list_display = ("name", "site", "order", "recency", "frequency", "monetary")
    list_filter = ("site",)
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("site", "name", "order")}),
        (
            "Scores, from 1 (lowest fifth) to 5 (best fifth)",
            {
                "fields": (
                    ("recency_from", "recency_to"),
                    ("frequency_from", "frequency_to"),
                    ("monetary_from", "monetary_to"),
                ),
                "description": "Changes count from the next run on, within five minutes.",
            },
        ),
    )

    @admin.display(ordering="recency_from")
    def recency(self, row: SegmentThreshold) -> str:
        """Return the bounds of recency."""
        return _span(row.recency_from, row.recency_to)

    @admin.display(ordering="frequency_from")
    def frequency(self, row: SegmentThreshold) -> str:
        """Return the bounds of frequency."""
        return _span(row.frequency_from, row.frequency_to)

    @admin.display(ordering="monetary_from")
    def monetary(self, row: SegmentThreshold) -> str:
        """Return the bounds of monetary value."""
        return _span(row.monetary_from, row.monetary_to)


@admin.register(RfmSnapshot)
class RfmSnapshotAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """The newest run as a map, and all runs as lines; nothing here can be changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: runs are made by the task."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: RfmSnapshot | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RfmSnapshot | None = None) -> bool:
        """Refuse: the task thins them out."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the screen instead of a list of runs."""
        sites = list(Site.objects.filter(is_active=True))
        site = next((one for one in sites if one.slug == request.GET.get("site")), sites[0] if sites else None)
        span = request.GET.get("span", "day")
        span = span if span in SPANS else "day"
        newest = RfmSnapshot.objects.filter(site=site).first() if site else None
        context: dict[str, Any] = {"sites": sites, "site": site, "span": span, "spans": list(SPANS), "newest": newest}
        if site is not None and newest is not None:
            runs = list(
                RfmSnapshot.objects.filter(site=site, made_at__gte=timezone.now() - SPANS[span])
                .order_by("made_at")
                .values_list("made_at", "sizes")
            )
            runs = runs or [(newest.made_at, newest.sizes)]
            context |= {
                "rows": heat_map(newest, _table(site)),
                "scores": rfm.SCORES,
                "lines": lines(runs),
                "width": CHART_WIDTH,
                "height": CHART_HEIGHT,
                "first": runs[0][0],
                "last": runs[-1][0],
                "top": _top(runs),
            }
        return screen(self, request, "admin/features/rfm.html", title="RFM map", **context)


def heat_map(snapshot: RfmSnapshot, segments: dict[tuple[int, int, int], str]) -> list[tuple[int, list[Cell]]]:
    """Return the rows of the map, the most recent buyers on top; a cell is darker the more buyers it has."""
    most = max((users for row in snapshot.cells for users, _ in row), default=0) or 1
    rows: list[tuple[int, list[Cell]]] = []
    for recency in reversed(rfm.SCORES):
        cells: list[Cell] = []
        for frequency in rfm.SCORES:
            users, mean = snapshot.cells[recency - 1][frequency - 1]
            shade = users / most
            cells.append(
                Cell(
                    recency=recency,
                    frequency=frequency,
                    users=users,
                    share=100 * users / max(snapshot.users, 1),
                    mean=mean / 100,
                    segment=segments[(recency, frequency, 5 if frequency >= 4 else 3)],
                    background=_mix(0.06 + 0.84 * shade),
                    text="#111827",
                )
            )
        rows.append((recency, cells))
    return rows


def lines(runs: Sequence[tuple[dt.datetime, dict[str, int]]]) -> list[Line]:
    """Return one line a segment, largest first; x by time, y by number of buyers."""
    step = max(1, len(runs) // MAX_POINTS)
    shown = [*runs[::step], runs[-1]]
    start, end = shown[0][0].timestamp(), shown[-1][0].timestamp()
    top = _top(runs)
    newest, oldest = runs[-1][1], runs[0][1]
    names = sorted({name for _, sizes in shown for name in sizes}, key=lambda name: -newest.get(name, 0))
    found: list[Line] = []
    for number, name in enumerate(names):
        points = " ".join(
            f"{_x(at.timestamp(), start, end):.1f},{CHART_HEIGHT * (1 - sizes.get(name, 0) / top):.1f}"
            for at, sizes in shown
        )
        found.append(
            Line(
                name=name,
                points=points if start != end else f"0,{_y(newest, name, top)} {CHART_WIDTH},{_y(newest, name, top)}",
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
    return CHART_WIDTH * (at - start) / (end - start) if end > start else 0.0


def _y(sizes: dict[str, int], name: str, top: int) -> float:
    return round(CHART_HEIGHT * (1 - sizes.get(name, 0) / top), 1)


def _top(runs: Sequence[tuple[dt.datetime, dict[str, int]]]) -> int:
    return max((users for _, sizes in runs for users in sizes.values()), default=1) or 1


def _table(site: Site) -> dict[tuple[int, int, int], str]:
    from features.tasks import segment_rules

    return rfm.segment_table(segment_rules(site))


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
