"""What is missing of a site's rates is exactly what cannot be converted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.exchange.coverage import needed, pairs, shown
from features.money import Quote, Rates, SiteMoney

EPOCH = dt.date(1970, 1, 1)
TODAY = 20_000


def date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=day)


@given(st.sets(st.integers(TODAY - 150, TODAY + 5), min_size=1))
def test_gaps_are_the_days_without_a_rate(days: set[int]) -> None:
    money = SiteMoney("EUR", Rates(Quote(day, "USD", "EUR", Decimal("0.9")) for day in days))
    (pair,) = pairs(money, today=date(TODAY))
    in_gaps = {(first - EPOCH).days + offset for first, last in pair.gaps for offset in range((last - first).days + 1)}
    assert in_gaps == {day for day in range(min(days), TODAY + 1) if money.rates.rate("USD", "EUR", day) is None}
    assert (pair.n_days, pair.first, pair.last) == (len(days), date(min(days)), date(max(days)))


def test_what_orders_need_is_told_the_missing_first() -> None:
    rates = [Quote(TODAY - 10, "EUR", "USD", Decimal("1.25")), Quote(TODAY - 40, "JPY", "EUR", Decimal("0.0055"))]
    found = needed(SiteMoney("EUR", Rates(rates)), {"EUR": 900, "USD": 5, "JPY": 2, "XXX": 1}, today=date(TODAY))
    assert [(one.currency, one.orders, one.rate, one.days_without) for one in found] == [
        ("USD", 5, "0.8", 19), ("JPY", 2, "", 9), ("XXX", 1, "", 30),
    ]  # fmt: skip
    assert not any(one.is_covered for one in found)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (Fraction(1), "1"), (Fraction(4, 5), "0.8"), (Fraction(1, 180), "0.00555556"), (Fraction(16998, 10), "1699.8"),
        (Fraction(10**9), "1000000000"), (Fraction(2, 3), "0.666667"),
    ],
)  # fmt: skip
def test_a_rate_is_shown_in_six_digits(rate: Fraction, words: str) -> None:
    assert shown(rate) == words
