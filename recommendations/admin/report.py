"""The performance report: attributed figures of the lists in a span of days, as tables, a chart and a CSV file."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from features.exceptions import StoreUnavailable
from features.money import exponent_of, written
from features.store import connections
from features.store.placement_stats import KEPT_DAYS, PlacementStats
from recommendations.models import Placement
from recommendations.monitoring.performance import Performance, daily, grouped, read_days, total
from recommendations.state.rule_versions import names_of_rules
from tracking.admin.screens import screen, site_choice
from tracking.admin.spreadsheets import spreadsheet_text
from tracking.models import Site
from tracking.redis_client import connect

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

REDIS_TIMEOUT_S: Final = 2.0
EPOCH: Final = dt.date(1970, 1, 1)
SPANS: Final = (1, 7, 28, KEPT_DAYS)
BY: Final = {
    "placement": gettext_lazy("Placement"),
    "rule": gettext_lazy("Rule"),
    "model_version": gettext_lazy("Model version"),
    "variant": gettext_lazy("Variant"),
}
METRICS: Final = {
    "revenue": gettext_lazy("Revenue"),
    "orders": gettext_lazy("Orders"),
    "carts": "Add-to-carts",
    "clicks": gettext_lazy("Clicks"),
    "impressions": gettext_lazy("Impressions"),
}
HELP: Final = {
    "placement": gettext_lazy("A slot on the shop's pages."),
    "rule": gettext_lazy(
        "A list that several rules touched counts for each of them: the rows may add up to more than the total."
    ),
    "model_version": gettext_lazy("The trained version that answered."),
    "variant": gettext_lazy(
        "Live is what everybody gets; canary is a new version that answers a share of the shoppers."
    ),
}


class ReportForm(forms.Form):
    """Which days, and what of them."""

    first = forms.DateField(label=gettext_lazy("From"), required=False)
    last = forms.DateField(label=gettext_lazy("To"), required=False)
    placement = forms.ChoiceField(label=gettext_lazy("Placement"), required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any, *, names: list[str]) -> None:
        super().__init__(data)
        self.fields["placement"].choices = [("", _("every placement")), *((name, name) for name in names)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Put the span in order: at most the days that are kept, none in the future.

        ``kept_from`` is the first day whose figures exist where the span asked for began before it, else None.
        """
        cleaned: dict[str, Any] = super().clean() or {}
        today = _today()
        last = min(cleaned.get("last") or today, today)
        first = cleaned.get("first") or last - dt.timedelta(days=6)
        if first > last:
            self.add_error(
                "first",
                _("%(first)s is after the last day, %(last)s; choose an earlier one.") % {"first": first, "last": last},
            )
        oldest = today - dt.timedelta(days=KEPT_DAYS - 1)
        kept_from = oldest if first < oldest else None
        return {**cleaned, "first": max(first, oldest), "last": max(last, oldest), "kept_from": kept_from}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day of the chart, in per cent of its width and height."""

    left: float
    width: float
    height: float
    day: dt.date
    value: float

    @property
    def top(self) -> float:
        """Where it begins, from above."""
        return 100 - self.height


def report(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the performance of one site's lists; the chart begins with the first figure that is not zero."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    context = site_choice(request)
    site = context["site"]
    if site is not None:
        names = list(Placement.objects.filter(site=site).order_by("name").values_list("name", flat=True))
        form = ReportForm(request.GET, names=names)
        by, metric = request.GET.get("by", ""), request.GET.get("show", "")
        by, metric = by if by in BY else "placement", metric if metric in METRICS else ""
        context |= {"form": form, "by": by, "kept_days": KEPT_DAYS}
        if form.is_valid():
            try:
                figures = _figures(site, form.cleaned_data, by=by, metric=metric, names=names)
            except StoreUnavailable as error:
                context["store_error"] = str(error).rstrip(".")  # a sentence goes on after it
            else:
                if request.GET.get("format") == "csv":
                    return _csv(site, form.cleaned_data, by, figures["rows"])
                context |= figures
            context |= _links(site, form.cleaned_data, by=by, metric=context.get("metric", metric))
    return screen(model_admin, request, "admin/recommendations/report.html", title=_("Performance"), **context)


def bars(days: dict[int, Performance], metric: str) -> list[Bar]:
    """Return one bar a day; the highest fills the chart."""
    values = {day: float(getattr(one, metric)) for day, one in days.items()}
    most = max(values.values(), default=0.0) or 1.0
    step = 100 / max(1, len(values))
    return [
        Bar(
            left=number * step + step * 0.1,
            width=step * 0.8,
            height=100 * value / most,
            day=EPOCH + dt.timedelta(days=day),
            value=value,
        )
        for number, (day, value) in enumerate(values.items())
    ]


def _figures(site: Site, chosen: dict[str, Any], *, by: str, metric: str, names: list[str]) -> dict[str, Any]:
    first, last = ((chosen[name] - EPOCH).days for name in ("first", "last"))
    client = connect(settings.REDIS_URL, timeout_s=REDIS_TIMEOUT_S)
    rows: list[PlacementStats] = read_days(
        client, site.slug, first=first, last=last, partitions=connections.partitions()
    )
    if chosen["placement"]:
        rows = [row for row in rows if row.placement == chosen["placement"]]
        names = [chosen["placement"]]
    days = daily(rows, first=first, last=last, currency=site.currency)
    whole = total(rows, currency=site.currency)
    # A young shop has clicks before it has revenue: a chart without bars says nothing.
    metric = metric or next((name for name in METRICS if getattr(whole, name)), "revenue")
    drawn = bars(days, metric)
    return {
        "metric": metric,
        "rows": _named(site, by, grouped(rows, by, names=names if by == "placement" else (), currency=site.currency)),
        "total": whole,
        "bars": drawn,
        "most": max(bar.value for bar in drawn),
        "digits": f"{exponent_of(site.currency)}g",
        "is_empty": not rows,
        "is_money": metric == "revenue",
        "metric_title": METRICS[metric],
        "by_title": BY[by],
        "by_help": HELP[by],
    }


def _named(site: Site, by: str, rows: list[Performance]) -> list[Performance]:
    """Name what has a number or no name in the counts."""
    empty = {
        "rule": _("no rule"),
        "model_version": _("no model: popular items"),
        "variant": _("named by the page alone"),
    }
    titles = {str(number): name for number, name in names_of_rules(site).items()} if by == "rule" else {}
    for row in rows:
        if not row.name:
            row.name = empty.get(by, "unknown")
        elif by == "rule":
            row.name = titles.get(row.name, f"rule {row.name}, deleted since")
    return rows


def _links(site: Site, chosen: dict[str, Any], *, by: str, metric: str) -> dict[str, Any]:
    """Return the links of the page; each keeps what the others chose."""
    kept = {
        "site": site.slug,
        "first": chosen["first"],
        "last": chosen["last"],
        "placement": chosen["placement"],
        "by": by,
        "show": metric,
    }

    def link(**changes: Any) -> str:
        return "?" + urlencode({name: value for name, value in {**kept, **changes}.items() if value})

    today = _today()
    spans = []
    for days in SPANS:
        title = ngettext("%(count)s day", "%(count)s days", days) % {"count": days} if days > 1 else _("today")
        first = today - dt.timedelta(days=days - 1)
        spans.append((link(first=first, last=today), title, (chosen["first"], chosen["last"]) == (first, today)))
    return {
        "span_links": spans,
        "by_links": [(link(by=name), title, name == by) for name, title in BY.items()],
        "metric_links": [(link(show=name), title, name == metric) for name, title in METRICS.items()],
        "csv_link": link(format="csv"),
    }


def _today() -> dt.date:
    return timezone.now().date()


def _csv(site: Site, chosen: dict[str, Any], by: str, rows: list[Performance]) -> HttpResponse:
    name = f"{site.slug}-{by}-{chosen['first']}-{chosen['last']}.csv"
    answer = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
    writer = csv.writer(answer)
    apart = sorted({currency for row in rows for currency, amount in row.apart.items() if amount})
    writer.writerow([
        by, "lists", "impressions", "clicks", "add_to_carts", "orders", f"revenue_{site.currency}",
        *(f"apart_{currency}" for currency in apart),
    ])  # fmt: skip
    for row in rows:
        writer.writerow([
            spreadsheet_text(row.name), row.lists, row.impressions, row.clicks, row.carts, row.orders,
            written(row.revenue_minor, site.currency, grouped=False),
            *(written(row.apart.get(currency, 0), currency, grouped=False) for currency in apart),
        ])  # fmt: skip
    return answer
