"""Amounts in the smallest unit of their currency, whose exponent ISO 4217 says, and what they are worth in another."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import raw_table

from features.money import (
    MAX_ORDER_MINOR,
    MAX_RATE_AGE_DAYS,
    Quote,
    Rates,
    SiteMoney,
    decimal_of,
    exponent_of,
    line_minor,
    times,
    to_major,
    to_minor,
    written,
)

DAY_MS = 86_400_000
CODES = sorted(code for code, row in raw_table.items() if code and (row["CcyMnrUnts"] or "").isdigit())


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("12.99", "EUR", 1_299), ("500", "JPY", 500), ("1.250", "KWD", 1_250), ("-3.5", "USD", -350), ("7", "XXX", 700)],
)
def test_an_amount_in_minor_units_and_back(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor
    assert to_major(minor, currency) == float(amount)


@pytest.mark.parametrize(("amount", "minor"), [("0.005", 0), ("0.015", 2), ("0.025", 2), ("0.0251", 3)])
def test_half_a_unit_goes_to_even(amount: str, minor: int) -> None:
    assert to_minor(Decimal(amount), "EUR") == minor


def test_every_code_has_the_decimals_of_iso_4217() -> None:
    assert len(CODES) > 160
    for code in CODES:
        assert exponent_of(code) == int(raw_table[code]["CcyMnrUnts"]), code
        assert to_major(10 ** exponent_of(code), code) == 1.0


@pytest.mark.parametrize(
    ("currency", "exponent"),
    # Where CLDR's digits for display differ from the standard's minor unit, the standard's count.
    [
        ("HUF", 2), ("IDR", 2), ("PKR", 2), ("IQD", 3), ("MGA", 2), ("MRU", 2), ("UYW", 4), ("CLF", 4), ("ISK", 0),
        ("UGX", 0), ("LBP", 2), ("IRR", 2), ("TWD", 2), ("COP", 2), ("CLP", 0), ("XOF", 0), ("BHD", 3),
    ],
)  # fmt: skip
def test_exponents_are_of_the_standard_and_not_of_how_amounts_are_shown(currency: str, exponent: int) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize(
    ("price", "quantity", "currency", "minor"),
    [
        (19.99, 3, "EUR", 5_997),
        (1.005, 1, "EUR", 100),  # written 1.005: half, to even; as a binary float it is less than half
        (1.015, 1, "EUR", 102),  # likewise; the binary float would round to 101
        (0.333, 3, "EUR", 100),
        (6_000.0, 1, "JPY", 6_000),
        (1.2345, 2, "KWD", 2_469),
        (1e12, 1, "EUR", 10**14),
        (1e-7, 1, "EUR", 0),
    ],
)
def test_a_line_is_multiplied_as_written_and_rounded_once(
    price: float, quantity: int, currency: str, minor: int
) -> None:
    assert line_minor(price, quantity, currency) == minor


@given(st.decimals(0, 10**9, places=4), st.integers(1, 500), st.sampled_from(CODES))
def test_floats_never_round_otherwise_than_what_was_written(price: Decimal, quantity: int, currency: str) -> None:
    step = Decimal(1).scaleb(-exponent_of(currency))
    exact = (price * quantity).quantize(step, rounding=ROUND_HALF_EVEN)
    assert line_minor(float(price), quantity, currency) == int(exact.scaleb(exponent_of(currency)))


@given(st.integers(-(10**14), 10**14), st.sampled_from(CODES))
def test_what_is_written_reads_back_exactly(minor: int, currency: str) -> None:
    text = written(minor, currency)
    assert to_minor(Decimal(text.replace(",", "")), currency) == minor
    assert len(text.partition(".")[2]) == exponent_of(currency)


def converted(rates: Rates, minor: int, currency: str, worth_in: str, *, day: int) -> int | None:
    return SiteMoney(worth_in, rates).convert(minor, currency, day * DAY_MS)


def test_a_rate_holds_for_its_day_and_the_days_after() -> None:
    rates = Rates([Quote(100, "USD", "EUR", Decimal("0.9")), Quote(110, "USD", "EUR", Decimal("0.8"))])
    assert converted(rates, 1_000, "USD", "EUR", day=99) is None
    assert converted(rates, 1_000, "USD", "EUR", day=100) == 900
    assert converted(rates, 1_000, "USD", "EUR", day=109) == 900
    assert converted(rates, 1_000, "USD", "EUR", day=110 + MAX_RATE_AGE_DAYS) == 800
    assert converted(rates, 1_000, "USD", "EUR", day=111 + MAX_RATE_AGE_DAYS) is None


def test_exponents_of_both_sides_count() -> None:
    rates = Rates([Quote(1, "JPY", "EUR", Decimal("0.00625")), Quote(1, "KWD", "EUR", Decimal("3"))])
    assert converted(rates, 6_000, "JPY", "EUR", day=1) == 3_750  # JPY 6,000 are EUR 37.50
    assert converted(rates, 1_000, "KWD", "EUR", day=1) == 300
    assert converted(rates, 3_750, "EUR", "JPY", day=1) == 6_000
    assert converted(rates, 300, "EUR", "KWD", day=1) == 1_000


def test_a_reversed_pair_and_a_third_currency_are_used() -> None:
    # As central banks publish: all against one currency.
    rates = Rates([Quote(1, "EUR", "USD", Decimal("1.25")), Quote(1, "EUR", "GBP", Decimal("0.8"))])
    assert rates.rate("USD", "EUR", 1) == Fraction(4, 5)
    assert rates.rate("USD", "GBP", 1) == Fraction(16, 25)
    assert rates.rate("USD", "CHF", 1) is None


def test_a_quote_of_the_pair_comes_before_others() -> None:
    rates = Rates([
        Quote(1, "USD", "EUR", Decimal("0.9")), Quote(2, "EUR", "USD", Decimal("2")),
        Quote(2, "USD", "CHF", Decimal("1")), Quote(2, "CHF", "EUR", Decimal("1")),
    ])  # fmt: skip
    assert rates.rate("USD", "EUR", 2) == Fraction(9, 10)


def test_a_sites_money_is_bounded_and_needs_no_rate_for_its_own() -> None:
    money = SiteMoney("EUR", Rates([Quote(1, "KWD", "EUR", Decimal("1000000"))]))
    assert money.convert(1_299, None, 0) == money.convert(1_299, "EUR", 0) == 1_299
    assert money.convert(10**17, None, 0) == MAX_ORDER_MINOR
    assert money.convert(10**14, "KWD", DAY_MS) == MAX_ORDER_MINOR
    assert money.convert(1, "XXX", DAY_MS) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.sampled_from(["USD", "JPY", "KWD"]), st.decimals("0.0001", 9999, places=6)),
        max_size=30,
    ),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.integers(-(10**12), 10**12),
    st.integers(-5, 140),
)
def test_conversion_is_that_of_the_newest_rate_to_the_unit(
    table: list[tuple[int, str, Decimal]], currency: str, minor: int, day: int
) -> None:
    by_day = {row_day: rate for row_day, name, rate in table if name == currency}
    known = [row_day for row_day in by_day if row_day <= day <= row_day + MAX_RATE_AGE_DAYS]
    found = converted(
        Rates(Quote(row_day, name, "EUR", rate) for row_day, name, rate in table), minor, currency, "EUR", day=day
    )
    if not known:
        assert found is None
        return
    exact = Fraction(minor, 10 ** exponent_of(currency)) * Fraction(by_day[max(known)]) * 100
    assert found is not None
    assert abs(max(-MAX_ORDER_MINOR, min(exact, MAX_ORDER_MINOR)) - found) <= Fraction(1, 2)


@given(st.decimals("0.000001", 10**9, places=6), st.integers(-(10**14), 10**14))
def test_a_factor_is_remembered_exactly(rate: Decimal, minor: int) -> None:
    factor = Rates([Quote(1, "EUR", "JPY", rate)]).factor("JPY", "EUR", day=1)
    assert factor is not None
    assert times(minor, float(repr(factor))) == times(minor, factor)
    exact = minor / Fraction(rate) * 100
    assert abs(max(-MAX_ORDER_MINOR, min(exact, MAX_ORDER_MINOR)) - times(minor, factor)) <= 1


def test_a_float_is_what_was_written() -> None:
    assert decimal_of(1.005) == Decimal("1.005")
    assert decimal_of(1e22) == Decimal("1e22")
