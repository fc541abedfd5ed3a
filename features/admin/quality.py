"""The data-quality page: what a site sent, what was mended and refused of it, and what to do about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from features.exceptions import StoreUnavailable
from features.quality.gathering import gather_report
from features.quality.report import MAX_ROWS, QualityReport
from tracking.admin.screens import screen, site_choice

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

TABLES: Final = (
    ("events", "Events", ("Event", "Source"), "What was accepted, by name and by who sent it."),
    (
        "mended", "Mended values", ("Field", "What was done"),
        "Values that were not in the contract's form and have one reading. The event counts; the sender can do better.",
    ),
    (
        "refused", "Refused events", ("Field", "Reason"),
        "What has no reading. Each is kept as a dead letter, and can be corrected and sent again.",
    ),
    ("orders", "Orders by currency", ("Currency",), "Purchase events as they came; each order counts once."),
    ("clocks", "Clocks of the senders", ("Off by",), "Times are put right by sent_at, so that none of it is lost."),
    (
        "bots", "Programs", ("Kind",),
        "Events of programs that named themselves: search engines, AI agents and assistants, monitoring, scripts. They "
        "are archived, and count nowhere else.",
    ),
    ("warnings", "Warnings of whole requests", ("Warning",), "What was true of a request and not of one value."),
)  # fmt: skip


def data_quality(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the report of one site."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    context = site_choice(request)
    if context["site"] is not None:
        try:
            report = gather_report(context["site"], now_ms=time.time_ns() // 1_000_000)
        except StoreUnavailable as error:
            context["store_error"] = str(error)
        else:
            context |= {"report": report, "tables": _tables(report), "max_rows": MAX_ROWS}
    return screen(model_admin, request, "admin/features/data_quality.html", title="Data quality", **context)


def _tables(report: QualityReport) -> list[dict[str, object]]:
    return [
        {
            "id": name, "title": title, "columns": columns, "lead": lead, "total": report.total(name),
            "rows": getattr(report, name)[:MAX_ROWS], "n_more": max(len(getattr(report, name)) - MAX_ROWS, 0),
            "has_samples": any(row.samples for row in getattr(report, name)),
        }
        for name, title, columns, lead in TABLES
        if getattr(report, name)
    ]  # fmt: skip
