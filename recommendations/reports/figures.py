"""What reports and the home page read of the roll-ups: sums of a span of a site's own days, by whatever was chosen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy

from features.money import to_major
from recommendations.models import ReportHour, ReportItemDay
from recommendations.reports.credit import USUAL
from tracking.models import Site
from tracking.templatetags.written import amount

METRICS: Final = ("lists", "impressions", "clicks", "carts", "orders", "units", "revenue")
GRAINS: Final = {
    "day": gettext_lazy("Day"),
    "hour": gettext_lazy("Hour"),
    "placement": gettext_lazy("Placement"),
    "variant": gettext_lazy("Variant"),
    "model_version": gettext_lazy("Model version"),
    "rule": gettext_lazy("Rule"),
    "item": gettext_lazy("Item"),
}
_ITEM_METRICS: Final = ("impressions", "clicks", "carts", "orders", "revenue")
HOUR_S: Final = 3_600
MAX_ITEMS: Final = 200
"""Items that a report lists, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From the beginning of a site's day, or an hour of it, up to but without another moment."""

    since: dt.datetime
    until: dt.datetime

    @classmethod
    def of_days(cls, first: dt.date, last: dt.date, zone: ZoneInfo) -> Span:
        """Return the span of whole days, the last included."""
        after = last + dt.timedelta(days=1)
        return cls(since=_midnight(first, zone), until=_midnight(after, zone))

    @classmethod
    def up_to(cls, now: dt.datetime, days: int, zone: ZoneInfo) -> Span:
        """Return so many of the site's days up to now, today among them, in whole hours."""
        local = now.astimezone(zone)
        first = local.date() - dt.timedelta(days=days - 1)
        this_hour = local.replace(minute=0, second=0, microsecond=0)
        return cls(since=_midnight(first, zone), until=_later(this_hour, hours=1, zone=zone))

    def before(self, days: int) -> Span:
        """Return the same hours of the same days of the week, so many days before."""
        back = dt.timedelta(days=days)
        return Span(since=self.since - back, until=self.until - back)  # of the zone's own clock

    @property
    def days(self) -> list[dt.date]:
        """The days that it touches."""
        first, last = self.since.date(), (self.until - dt.timedelta(microseconds=1)).date()
        return [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]

    @property
    def hours(self) -> Q:
        """The condition on rows by hour."""
        return Q(hour__gte=int(self.since.timestamp()), hour__lt=int(self.until.timestamp()))


@dataclass(slots=True, kw_only=True)
class Figures:
    """Sums of a group; revenue in minor units of the site's currency, ``apart`` what no rate converts."""

    name: str = ""
    currency: str = ""
    lists: int = 0
    impressions: int = 0
    clicks: int = 0
    carts: float = 0.0
    orders: float = 0.0
    units: float = 0.0
    revenue: int = 0
    apart: dict[str, int] = field(default_factory=dict)

    def add(self, sums: Mapping[str, Any]) -> None:
        """Add further sums, by the names of ``METRICS``."""
        for metric in METRICS:
            setattr(self, metric, getattr(self, metric) + (sums.get(metric) or 0))

    def value(self, metric: str) -> float | None:
        """Return a figure as people read it: money in whole units, the click rate in percent or None."""
        if metric == "click_rate":
            return self.click_rate
        figure = getattr(self, metric)
        return to_major(figure, self.currency) if metric == "revenue" else float(figure)

    @property
    def click_rate(self) -> float | None:
        """Clicks by impressions, in percent."""
        return 100 * self.clicks / self.impressions if self.impressions else None

    @property
    def revenue_text(self) -> str:
        """The revenue with the decimals of its currency."""
        return amount(self.revenue, self.currency)

    @property
    def apart_texts(self) -> list[str]:
        """What stands apart, such as ``JPY 6,000``."""
        return [f"{currency} {amount(minor, currency)}" for currency, minor in sorted(self.apart.items()) if minor]

    @property
    def revenue_per_thousand(self) -> float | None:
        """Revenue of a thousand impressions."""
        return 1_000 * to_major(self.revenue, self.currency) / self.impressions if self.impressions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """An item that brought more, or less, than in the span before."""

    item_id: str
    now: int
    before: int
    clicks_now: int
    clicks_before: int

    @property
    def difference(self) -> int:
        """In minor units."""
        return self.now - self.before


def total(site: Site, span: Span, *, attribution: str = USUAL, placement: str = "") -> Figures:
    """Return the sums of a span; one query, and one for revenue that stands apart."""
    rows = _rows(site, span, attribution, placement)
    figures = Figures(currency=site.currency)
    figures.add(rows.aggregate(**_sums(METRICS)))
    for apart in rows.exclude(apart={}).values_list("apart", flat=True):
        _add_apart(figures, apart)
    return figures


def by_day(site: Site, span: Span, *, attribution: str = USUAL, placement: str = "") -> dict[dt.date, Figures]:
    """Return the sums of each day of the site's own, days without figures among them."""
    days = {day: Figures(name=day.isoformat(), currency=site.currency) for day in span.days}
    zone = site.zone
    for row in _rows(site, span, attribution, placement).values("hour").annotate(**_sums(METRICS)):
        day = dt.datetime.fromtimestamp(row["hour"], zone).date()
        if day in days:
            days[day].add(row)
    return days


def summed(parts: Iterable[Figures], currency: str) -> Figures:
    """Return the sums of parts that were read already, such as the days of a span; no query."""
    whole = Figures(currency=currency)
    for part in parts:
        whole.add({metric: getattr(part, metric) for metric in METRICS})
        _add_apart(whole, part.apart)
    return whole


def grouped(
    site: Site,
    span: Span,
    by: str,
    *,
    attribution: str = USUAL,
    placement: str = "",
    names: Iterable[str] = (),
    with_apart: bool = True,
) -> list[Figures]:
    """Return the sums by one of ``GRAINS``: time in order, all else the best first.

    A list that several rules touched counts for each of them. Items are those of whole days, by last click within a
    day whatever ``attribution`` says, and at most ``MAX_ITEMS``. What no rate converts takes a query of its own, which
    ``with_apart`` spares where it is not shown.
    """
    found = {name: Figures(name=name, currency=site.currency) for name in names}
    if by == "item":
        return _by_item(site, span, placement)
    if by == "day":
        return list(by_day(site, span, attribution=attribution, placement=placement).values())
    column = "rules" if by == "rule" else by
    rows = _rows(site, span, attribution, placement)
    for row in rows.values(column).annotate(**_sums(METRICS)):
        for name in _names(row[column], by, site.zone):
            found.setdefault(name, Figures(name=name, currency=site.currency)).add(row)
    for key, apart in rows.exclude(apart={}).values_list(column, "apart") if with_apart else ():
        for name in _names(key, by, site.zone):
            _add_apart(found[name], apart)
    figures = list(found.values())
    if by == "hour":
        return sorted(figures, key=lambda one: one.name)
    return sorted(figures, key=lambda one: (-one.revenue, -one.clicks, -one.impressions, one.name))


def movers(site: Site, span: Span, before: Span, *, limit: int = 5) -> tuple[list[Mover], list[Mover]]:
    """Return the items whose attributed revenue rose and fell most between two spans of whole days."""
    inside, outside = (Q(day__gte=each.days[0], day__lte=each.days[-1]) for each in (span, before))
    rows = (
        ReportItemDay.objects.filter(inside | outside, site=site, placement="")
        .exclude(item_id="")
        .values("item_id")
        .annotate(
            now=Sum("revenue", filter=inside, default=0),
            earlier=Sum("revenue", filter=outside, default=0),
            clicks_now=Sum("clicks", filter=inside, default=0),
            clicks_before=Sum("clicks", filter=outside, default=0),
        )
        .annotate(difference=F("now") - F("earlier"))
    )
    won = rows.filter(difference__gt=0).order_by("-difference", "item_id")[:limit]
    lost = rows.filter(difference__lt=0).order_by("difference", "item_id")[:limit]
    return [_mover(row) for row in won], [_mover(row) for row in lost]


def change(now: float | None, before: float | None) -> float | None:
    """Return by how many percent a figure changed; None where there was nothing before."""
    return None if not before or now is None else 100 * (now - before) / before


def _mover(row: Mapping[str, Any]) -> Mover:
    return Mover(
        item_id=row["item_id"],
        now=row["now"],
        before=row["earlier"],
        clicks_now=row["clicks_now"],
        clicks_before=row["clicks_before"],
    )


def _rows(site: Site, span: Span, attribution: str, placement: str) -> QuerySet[ReportHour]:
    rows = ReportHour.objects.filter(span.hours, site=site, attribution__in=("", attribution))
    return rows.filter(placement=placement) if placement else rows


def _by_item(site: Site, span: Span, placement: str) -> list[Figures]:
    days = span.days
    rows = ReportItemDay.objects.filter(site=site, placement=placement, day__gte=days[0], day__lte=days[-1])
    sums = rows.values("item_id").annotate(**_sums(_ITEM_METRICS))
    found = []
    for row in sums.order_by("-revenue", "-clicks", "-impressions", "item_id")[: MAX_ITEMS + 1]:
        figures = Figures(name=row["item_id"], currency=site.currency)
        figures.add(row)
        found.append(figures)
    return found


def _sums(metrics: Iterable[str]) -> dict[str, Sum]:
    return {metric: Sum(metric) for metric in metrics}


def _names(value: Any, by: str, zone: ZoneInfo) -> list[str]:
    if by == "rule":
        return [number for number in value.split(",") if number] or [""]
    if by == "hour":
        return [dt.datetime.fromtimestamp(value, zone).isoformat(timespec="minutes")]
    return [str(value)]


def _add_apart(figures: Figures, apart: Mapping[str, int]) -> None:
    for currency, minor in apart.items():
        figures.apart[currency] = figures.apart.get(currency, 0) + minor


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone)


def _later(moment: dt.datetime, *, hours: int, zone: ZoneInfo) -> dt.datetime:
    return (moment.astimezone(dt.UTC) + dt.timedelta(hours=hours)).astimezone(zone)
