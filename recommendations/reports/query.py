"""What a report is asked for: days, grouping, attribution, placement; as an address, a saved view or the API say."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.utils import timezone

from features.money import written
from recommendations.models import Placement
from recommendations.reports.credit import ATTRIBUTIONS, USUAL
from recommendations.reports.figures import GRAINS, Figures, Span, grouped, total
from recommendations.state.rule_versions import names_of_rules
from tracking.models import Site

SPANS: Final = {"7": "last 7 days", "28": "last 28 days", "month": "this month", "last_month": "last month"}
"""Spans that move on with time, for saved views; whole days of the site's time zone."""
MAX_DAYS: Final = 400
MAX_HOURLY_DAYS: Final = 31
COLUMNS: Final = ("lists", "impressions", "clicks", "add_to_carts", "orders", "units", "revenue")


class InvalidReport(ValueError):
    """Something that a report was asked for is wrong.

    Attributes
    ----------
    field, reason : str
        What is wrong, and what to do about it.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """One report. Either ``span`` is one of ``SPANS``, or ``first`` and ``last`` name days."""

    span: str = "7"
    first: dt.date | None = None
    last: dt.date | None = None
    by: str = "placement"
    attribution: str = USUAL
    placement: str = ""

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> ReportQuery:
        """Return what an address, a saved view or the API says by the names of the fields; the usual where it does not.

        Raises
        ------
        InvalidReport
            A value is none that there is, or the days are in the wrong order or too many.
        """
        first, last = (_day(name, asked.get(name)) for name in ("first", "last"))
        query = cls(
            span="" if first or last else _one_of("span", asked.get("span") or "7", SPANS),
            first=first,
            last=last,
            by=_one_of("by", asked.get("by") or "placement", GRAINS),
            attribution=_one_of("attribution", asked.get("attribution") or USUAL, ATTRIBUTIONS),
            placement=str(asked.get("placement") or ""),
        )
        query._check()
        return query

    def days(self, site: Site, *, now: dt.datetime | None = None) -> tuple[dt.date, dt.date]:
        """Return the first and the last day, in the site's time zone."""
        today = (now or timezone.now()).astimezone(site.zone).date()
        if self.first is not None or self.last is not None:
            last = min(self.last or today, today)
            return min(self.first or last - dt.timedelta(days=6), last), last
        if self.span == "month":
            return today.replace(day=1), today
        if self.span == "last_month":
            last = today.replace(day=1) - dt.timedelta(days=1)
            return last.replace(day=1), last
        return today - dt.timedelta(days=int(self.span) - 1), today

    def period(self, site: Site, *, now: dt.datetime | None = None) -> Span:
        """Return the span of those days."""
        return Span.of_days(*self.days(site, now=now), site.zone)

    def rows(self, site: Site) -> list[Figures]:
        """Return the figures of each group; those of placements, also of those without any."""
        names: Iterable[str] = ()
        if self.by == "placement" and not self.placement:
            names = Placement.objects.filter(site=site, is_active=True).values_list("name", flat=True)
        return grouped(
            site, self.period(site), self.by, attribution=self.attribution, placement=self.placement, names=names
        )

    def total(self, site: Site) -> Figures:
        """Return the sums of the span."""
        return total(site, self.period(site), attribution=self.attribution, placement=self.placement)

    def as_dict(self) -> dict[str, str]:
        """Return what ``parse`` reads, without what is usual."""
        said = {
            "span": self.span, "first": self.first.isoformat() if self.first else "",
            "last": self.last.isoformat() if self.last else "", "by": self.by, "attribution": self.attribution,
            "placement": self.placement,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value}

    def address(self, site: Site, **changes: str) -> str:
        """Return the query of an address with some of it changed; an empty value leaves it out."""
        said = {"site": site.slug, **self.as_dict(), **changes}
        if "span" in changes:
            said.pop("first", None)
            said.pop("last", None)
        return "?" + urlencode({name: value for name, value in said.items() if value})

    def _check(self) -> None:
        if self.first is not None and self.last is not None:
            if self.first > self.last:
                raise InvalidReport("first", f"is {self.first}, after the last day {self.last}; choose an earlier one")
            n_days = (self.last - self.first).days + 1
            if n_days > MAX_DAYS:
                raise InvalidReport("first", f"and last are {n_days} days apart; choose at most {MAX_DAYS}")
            if self.by == "hour" and n_days > MAX_HOURLY_DAYS:
                raise InvalidReport("by", f"hour is for at most {MAX_HOURLY_DAYS} days; choose fewer, or day")


def named(site: Site, by: str, rows: list[Figures]) -> list[Figures]:
    """Give names that people know to what has a number or no name."""
    empty = {
        "rule": "no rule", "model_version": "no model: popular items", "variant": "named by the page alone",
        "item": "(other items)", "placement": "unknown",
    }  # fmt: skip
    titles = {str(number): name for number, name in names_of_rules(site).items()} if by == "rule" else {}
    for row in rows:
        if not row.name:
            row.name = empty.get(by, "unknown")
        elif by == "rule":
            row.name = titles.get(row.name, f"rule {row.name}, deleted since")
    return rows


def as_csv(site: Site, by: str, rows: list[Figures], clean: Any) -> str:
    """Return the rows as a table with a head; ``clean`` makes a text harmless in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    apart = sorted({currency for row in rows for currency, amount in row.apart.items() if amount})
    writer.writerow([by, *COLUMNS[:-1], f"revenue_{site.currency}", *(f"apart_{currency}" for currency in apart)])
    for row in rows:
        writer.writerow([
            clean(row.name), row.lists, row.impressions, row.clicks, f"{row.carts:g}", f"{row.orders:.6g}",
            f"{row.units:g}", written(row.revenue, site.currency, grouped=False),
            *(written(row.apart.get(currency, 0), currency, grouped=False) for currency in apart),
        ])  # fmt: skip
    return out.getvalue()


def _day(name: str, value: Any) -> dt.date | None:
    if isinstance(value, dt.date) or not value:
        return value or None
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise InvalidReport(name, f"is {str(value)[:40]!r}; write a day like 2026-11-30") from None


def _one_of(name: str, value: Any, known: Mapping[str, Any]) -> str:
    if value not in known:
        raise InvalidReport(name, f"is {str(value)[:40]!r}; choose one of {', '.join(known)}")
    return str(value)
