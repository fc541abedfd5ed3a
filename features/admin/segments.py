"""RFM: the map of recency against frequency, the sizes of the segments over time, and where their bounds are."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from features.admin import charts
from features.models import RfmSnapshot, SegmentThreshold
from features.segments import rfm
from tracking.admin.screens import screen, site_choice
from tracking.models import Site

SPANS: Final = {"day": dt.timedelta(days=1), "week": dt.timedelta(days=7), "year": dt.timedelta(days=365)}


@admin.register(SegmentThreshold)
class SegmentThresholdAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Segments and their bounds; the first one that fits a buyer counts."""

    list_display = ("name", "site", "order", "recency", "frequency", "monetary")
    list_filter = ("site",)
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("site", "name", "order")}),
        (
            gettext_lazy("Scores, from 1 (lowest fifth) to 5 (best fifth)"),
            {
                "fields": (
                    ("recency_from", "recency_to"),
                    ("frequency_from", "frequency_to"),
                    ("monetary_from", "monetary_to"),
                ),
                "description": gettext_lazy("Changes count from the next run on, within five minutes."),
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
        choice = site_choice(request)
        site = choice["site"]
        span = request.GET.get("span", "day")
        span = span if span in SPANS else "day"
        newest = RfmSnapshot.objects.filter(site=site).first() if site else None
        context: dict[str, Any] = {**choice, "span": span, "spans": list(SPANS), "newest": newest}
        if site is not None and newest is not None:
            runs = list(
                RfmSnapshot.objects.filter(site=site, made_at__gte=timezone.now() - SPANS[span])
                .order_by("made_at")
                .values_list("made_at", "sizes")
            )
            runs = runs or [(newest.made_at, newest.sizes)]
            runs = [(at, sizes if isinstance(sizes, dict) else {}) for at, sizes in runs]
            context |= {
                "rows": charts.heat_map(newest, _table(site)),
                "columns": charts.order_words(charts.bounds_of(newest, "orders")),
                "lines": charts.lines(runs),
                "width": charts.WIDTH,
                "height": charts.HEIGHT,
                "first": runs[0][0],
                "last": runs[-1][0],
                "top": charts.highest(runs),
                "is_short": len(runs) < 3,
                "shades": charts.SHADES,
                "most": charts.fullest(newest),
            }
        return screen(self, request, "admin/features/rfm.html", title=_("RFM map"), **context)


def _table(site: Site) -> dict[tuple[int, int, int], str]:
    from features.tasks import segment_rules

    return rfm.segment_table(segment_rules(site))


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
