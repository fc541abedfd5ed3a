"""The home page's figures against the period before, as cards, a chart, a table of placements, and items that moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.core.cache import cache
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from features.models import Item
from recommendations.models import Placement, ReportState
from recommendations.reports.credit import USUAL
from recommendations.reports.figures import Figures, Mover, Span, by_day, change, grouped, movers, summed
from tracking.models import Site
from tracking.templatetags.written import amount, day, weekday

PERIODS: Final = (7, 28)
METRICS: Final = {
    "revenue": gettext_lazy("Attributed revenue"),
    "orders": gettext_lazy("Orders"),
    "carts": gettext_lazy("Add-to-carts"),
    "click_rate": gettext_lazy("Click-through"),
    "impressions": gettext_lazy("Impressions"),
}
KEPT_S: Final = 300
MINUS: Final = "\N{MINUS SIGN}"
DASH: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A figure of the period with its change; ``change`` in percent, None where nothing was before."""

    metric: str
    title: str
    value: str
    change: float | None
    before: str
    link: str
    is_shown: bool

    @property
    def tone(self) -> str:
        """Up, down, or neither."""
        if self.change is None or abs(self.change) < 0.05:
            return ""
        return "up" if self.change > 0 else "down"

    @property
    def change_text(self) -> str:
        """The change as people write it: ``+4.2 %``."""
        if self.change is None:
            return _("nothing before")
        return f"{'+' if self.change > 0 else MINUS if self.change < 0 else '±'}{number_format(abs(self.change), 1)} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedItem:
    """An item that brought more or less than before, with its picture."""

    item_id: str
    title: str
    picture: str
    now: str
    before: str
    difference: str
    link: str


def trends(site: Site, chosen: dict[str, Any], *, now: dt.datetime | None = None) -> dict[str, Any]:
    """Return the home page's figures of lists; four queries of roll-ups, and two of items that moved.

    Parameters
    ----------
    chosen : mapping
        ``days`` (7 or 28) and ``show`` (one of ``METRICS``) as the address says them; anything else is the first.
    """
    days = next((one for one in PERIODS if str(one) == chosen.get("days")), PERIODS[0])
    shown = str(chosen.get("show"))
    metric = shown if shown in METRICS else "revenue"
    now = now or timezone.now()
    span = Span.up_to(now, days, site.zone)
    before = span.before(days)
    points, points_before = by_day(site, span), by_day(site, before)
    whole, whole_before = (summed(each.values(), site.currency) for each in (points, points_before))
    state = ReportState.objects.filter(site=site).first()

    def link(**changes: Any) -> str:
        return "?" + urlencode({"site": site.slug, "days": days, "show": metric, **changes})

    return {
        "days": days,
        "period_links": [(link(days=one), _("%(days)s days") % {"days": one}, one == days) for one in PERIODS],
        "cards": [_card(name, whole, whole_before, link(show=name), is_shown=name == metric) for name in METRICS],
        "metric_title": _titled(metric, site),
        "chart": _chart(metric, list(points.values()), list(points_before.values()), site),
        "placements": _placements(site, span, before),
        "moved": _moved(site, span, before),
        "span_words": _span_words(span),
        "before_words": _span_words(before),
        "has_figures": bool(whole.impressions or whole_before.impressions or whole.orders),
        "rolled_up_at": state.made_at if state else None,
        "report_link": f"?{urlencode({'site': site.slug, 'attribution': USUAL})}",
    }


def written_figure(figures: Figures, metric: str) -> str:
    """Return a figure as the page writes it."""
    value = figures.value(metric)
    if value is None:
        return DASH
    if metric == "revenue":
        return f"{figures.currency} {figures.revenue_text}"
    if metric == "click_rate":
        return f"{number_format(value, 2)} %"
    return number_format(round(value), 0, force_grouping=True)


def _card(metric: str, now: Figures, before: Figures, link: str, *, is_shown: bool) -> Card:
    return Card(
        metric=metric,
        title=str(METRICS[metric]),
        value=written_figure(now, metric),
        change=change(now.value(metric), before.value(metric)),
        before=written_figure(before, metric),
        link=link,
        is_shown=is_shown,
    )


def _titled(metric: str, site: Site) -> str:
    title = str(METRICS[metric])
    return {"revenue": f"{title}, {site.currency}", "click_rate": f"{title}, %"}.get(metric, title)


def _chart(metric: str, now: Sequence[Figures], before: Sequence[Figures], site: Site) -> dict[str, Any]:
    """Return what the chart draws and its table says, one entry a day."""
    days = [dt.date.fromisoformat(one.name) for one in now]
    days_before = [dt.date.fromisoformat(one.name) for one in before]
    return {
        "title": _titled(metric, site),
        "labels": [weekday(day) for day in days],
        "labels_before": [weekday(day) for day in days_before],
        "now": [one.value(metric) for one in now],
        "before": [one.value(metric) for one in before],
        "now_words": _("this period"),
        "before_words": _("the period before"),
        "rows": [
            (weekday(day), written_figure(one, metric), written_figure(other, metric))
            for day, one, other in zip(days, now, before, strict=False)
        ],
    }


def _placements(site: Site, span: Span, before: Span) -> list[dict[str, Any]]:
    names = Placement.objects.filter(site=site, is_active=True).order_by("name").values_list("name", "heading", "pk")
    known = {name: (heading, number) for name, heading, number in names}
    earlier = {one.name: one for one in grouped(site, before, "placement", with_apart=False)}
    none = Figures(currency=site.currency)
    rows = []
    for one in grouped(site, span, "placement", names=known, with_apart=False):
        past = earlier.get(one.name, none)
        heading, number = known.get(one.name, ("", None))
        rows.append({
            "name": one.name,
            "heading": heading,
            "number": number,
            "impressions": one.impressions,
            "figures": [
                (written_figure(one, metric), _change_of(one, past, metric))
                for metric in ("impressions", "click_rate", "orders", "revenue")
            ],
        })  # fmt: skip
    return rows


def _change_of(now: Figures, before: Figures, metric: str) -> dict[str, str] | None:
    card = _card(metric, now, before, "", is_shown=False)
    return None if card.change is None else {"tone": card.tone, "text": card.change_text}


def _moved(site: Site, span: Span, before: Span) -> dict[str, list[MovedItem]]:
    """Return winners and losers; kept for some minutes, as adding up many items takes longest."""
    key = f"home-movers:{site.pk}:{span.until.isoformat()}:{span.since.date()}"
    found = cache.get(key)
    if found is None:
        found = movers(site, span, before)
        cache.set(key, found, KEPT_S)
    won, lost = found
    items = {
        item.item_id: item
        for item in Item.objects.filter(site=site, item_id__in=[one.item_id for one in (*won, *lost)])
    }
    return {name: [_moved_item(site, one, items.get(one.item_id)) for one in each] for name, each in
            (("won", won), ("lost", lost))}  # fmt: skip


def _moved_item(site: Site, mover: Mover, item: Item | None) -> MovedItem:
    sign = "+" if mover.difference > 0 else MINUS
    return MovedItem(
        item_id=mover.item_id,
        title=item.title if item else _("%(id)s, not in the catalogue") % {"id": mover.item_id},
        picture=item.image_url if item else "",
        now=amount(mover.now, site.currency),
        before=amount(mover.before, site.currency),
        difference=f"{sign}{amount(abs(mover.difference), site.currency)}",
        link=str(item.pk) if item else "",
    )


def _span_words(span: Span) -> str:
    days = span.days
    return f"{day(days[0])} {DASH} {day(days[-1])}"
