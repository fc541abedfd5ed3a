"""Which days and currencies a site's rates cover, and what its events need that they do not. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Final

from features.money import MAX_RATE_AGE_DAYS, SiteMoney

DAYS_LOOKED_AT: Final = 30
"""The last UTC days, today included: those of which orders are counted by currency."""
SHOWN_DIGITS: Final = 6
_EPOCH: Final = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A currency that orders were reported in.

    Attributes
    ----------
    currency : str
    orders : int
        Of the last ``DAYS_LOOKED_AT`` days.
    rate : str
        What one unit is worth today in the site's currency; empty where nothing says.
    days_without : int
        Of those days, how many have no rate.
    """

    currency: str
    orders: int
    rate: str
    days_without: int

    @property
    def is_covered(self) -> bool:
        """Whether all of its amounts can be converted."""
        return not self.days_without


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pair that is quoted.

    Attributes
    ----------
    currency, worth_in : str
    n_days : int
    first, last : date
    rate : str
        The newest.
    gaps : tuple of (date, date)
        First and last day of each span, up to today, for which no rate is young enough.
    """

    currency: str
    worth_in: str
    n_days: int
    first: dt.date
    last: dt.date
    rate: str
    gaps: tuple[tuple[dt.date, dt.date], ...]


def needed(money: SiteMoney, orders: Mapping[str, int], *, today: dt.date) -> list[Needed]:
    """Return the currencies of ``orders`` (counts by code) that are not the site's: those without a rate first."""
    last = (today - _EPOCH).days
    found = []
    for currency, count in orders.items():
        if currency != money.currency:
            rates = [
                money.rates.rate(currency, money.currency, day) for day in range(last - DAYS_LOOKED_AT + 1, last + 1)
            ]
            found.append(
                Needed(
                    currency=currency,
                    orders=count,
                    rate="" if rates[-1] is None else shown(rates[-1]),
                    days_without=rates.count(None),
                )
            )
    return sorted(found, key=lambda one: (one.is_covered, -one.orders, one.currency))


def pairs(money: SiteMoney, *, today: dt.date) -> list[Pair]:
    """Return what is quoted, pair by pair."""
    return [
        Pair(
            currency=currency, worth_in=worth_in, n_days=len(days), first=_date(days[0]), last=_date(days[-1]),
            rate=shown(Fraction(rate)), gaps=_gaps(days, today=(today - _EPOCH).days),
        )
        for currency, worth_in, days, rate in money.rates.pairs()
    ]  # fmt: skip


def shown(rate: Fraction) -> str:
    """Return a rate in ``SHOWN_DIGITS`` significant digits, without an exponent."""
    short = round(Decimal(rate.numerator) / Decimal(rate.denominator), 12)
    digits = SHOWN_DIGITS - 1 - short.adjusted()
    return f"{round(short, max(digits, 0)).normalize():f}"


def _gaps(days: tuple[int, ...], *, today: int) -> tuple[tuple[dt.date, dt.date], ...]:
    ends = [*(day for day in days if day <= today), today + 1]
    return tuple(
        (_date(one + MAX_RATE_AGE_DAYS + 1), _date(following - 1))
        for one, following in pairwise(ends)
        if following - one > MAX_RATE_AGE_DAYS + 1
    )


def _date(day: int) -> dt.date:
    return _EPOCH + dt.timedelta(days=day)
