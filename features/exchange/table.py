"""The rates of a site in the database: written, read and deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from features.exchange.reading import MAX_ROWS, BadTable, Fault
from features.exchange.site import announce_money
from features.models import ExchangeRate
from features.money import Quote
from tracking.models import Site

EPOCH: Final = dt.date(1970, 1, 1)
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRates:
    """What became of the rates of a table."""

    created: int
    changed: int
    unchanged: int

    def summary(self) -> str:
        """Return it in words."""
        return f"{self.created:,} new, {self.changed:,} changed, {self.unchanged:,} as before"


def write_quotes(site: Site, quotes: Sequence[Quote]) -> WrittenRates:
    """Write rates, all of them or none; of a day and pair that is known, the new rate holds.

    Raises
    ------
    BadTable
        The site would have more than ``MAX_ROWS``.
    """
    with transaction.atomic():
        Site.objects.select_for_update().get(pk=site.pk)  # two uploads at once would each find room for theirs
        days = [day_of(quote.day) for quote in quotes]
        known = {
            (row_day, currency, worth_in): rate
            for row_day, currency, worth_in, rate in rates_of(site, first=min(days), last=max(days)).values_list(
                "day", "currency", "worth_in", "rate"
            )
        }
        fresh = [quote for quote in quotes if known.get(_key_of(quote)) != quote.rate]
        created = sum(_key_of(quote) not in known for quote in fresh)
        if rates_of(site).count() + created > MAX_ROWS:
            reason = f"would be more than {MAX_ROWS:,}; delete the years before your first event, then send it again"
            raise BadTable([Fault(line=0, field="rates", value=f"{created:,} new", reason=reason)], 1)
        ExchangeRate.objects.bulk_create(
            [
                ExchangeRate(
                    site=site, day=day_of(quote.day), currency=quote.currency, worth_in=quote.worth_in, rate=quote.rate
                )
                for quote in fresh
            ],
            batch_size=_BATCH, update_conflicts=True, unique_fields=["site", "day", "currency", "worth_in"],
            update_fields=["rate", "changed_at"],
        )  # fmt: skip
        if fresh:
            announce_money(site.slug)
    return WrittenRates(created=created, changed=len(fresh) - created, unchanged=len(quotes) - len(fresh))


def delete_rates(
    site: Site,
    *,
    currency: str | None = None,
    worth_in: str | None = None,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> int:
    """Delete the rates that ``rates_of`` returns, all of the site's where nothing is named; return how many."""
    with transaction.atomic():
        count: int = rates_of(site, currency=currency, worth_in=worth_in, first=first, last=last).delete()[0]
        if count:
            announce_money(site.slug)
    return count


def rates_of(
    site: Site,
    *,
    currency: str | None = None,
    worth_in: str | None = None,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> QuerySet[ExchangeRate]:
    """Return the rates of a pair, or of half of one, and of a span of days, both included; by day."""
    wanted = {"currency": currency, "worth_in": worth_in, "day__gte": first, "day__lte": last}
    rows = ExchangeRate.objects.filter(site=site, **{name: value for name, value in wanted.items() if value})
    return rows.order_by("day", "currency", "worth_in")


def day_of(day: int) -> dt.date:
    """Return a UTC day since 1970 as a date."""
    return EPOCH + dt.timedelta(days=day)


def _key_of(quote: Quote) -> tuple[dt.date, str, str]:
    return day_of(quote.day), quote.currency, quote.worth_in
