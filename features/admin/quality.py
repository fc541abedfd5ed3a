"""The data-quality page: what a site sent, what was mended and refused of it, and what to do about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from features.exceptions import StoreUnavailable
from features.quality.gathering import gather_report
from features.quality.report import MAX_ROWS, QualityReport
from tracking.admin.screens import screen, site_choice

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

TABLES: Final = (
    (
        "events",
        gettext_lazy("Events"),
        (gettext_lazy("Event"), gettext_lazy("Source")),
        gettext_lazy("What was accepted, by name and by who sent it."),
    ),
    (
        "mended",
        gettext_lazy("Mended values"),
        (gettext_lazy("Field"), gettext_lazy("What was done")),
        gettext_lazy(
            "Values that were not in the contract's form and have one reading. The event counts; "
            "the sender can do better."
        ),
    ),
    (
        "refused",
        gettext_lazy("Refused events"),
        (gettext_lazy("Field"), gettext_lazy("Reason")),
        gettext_lazy("What has no reading. Each is kept as a dead letter, and can be corrected and sent again."),
    ),
    (
        "orders",
        gettext_lazy("Orders by currency"),
        (gettext_lazy("Currency"),),
        gettext_lazy("Purchase events as they came; each order counts once."),
    ),
    (
        "clocks",
        gettext_lazy("Clocks of the senders"),
        (gettext_lazy("Off by"),),
        gettext_lazy("Times are put right by sent_at, so that none of it is lost."),
    ),
    (
        "bots",
        gettext_lazy("Programs"),
        (gettext_lazy("Kind"),),
        gettext_lazy(
            "Events of programs that named themselves: search engines, AI agents and assistants, "
            "monitoring, scripts. They are archived, and count nowhere else."
        ),
    ),
    (
        "warnings",
        gettext_lazy("Warnings of whole requests"),
        (gettext_lazy("Warning"),),
        gettext_lazy("What was true of a request and not of one value."),
    ),
)


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
    return screen(model_admin, request, "admin/features/data_quality.html", title=_("Data quality"), **context)


def _tables(report: QualityReport) -> list[dict[str, object]]:
    return [
        {
            "id": name,
            "title": title,
            "columns": columns,
            "lead": lead,
            "total": report.total(name),
            "rows": getattr(report, name)[:MAX_ROWS],
            "n_more": max(len(getattr(report, name)) - MAX_ROWS, 0),
            "has_samples": any(row.samples for row in getattr(report, name)),
        }
        for name, title, columns, lead in TABLES
        if getattr(report, name)
    ]
