"""Amounts in the smallest unit of their currency, whose exponent ISO 4217 says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from features.money import to_major, to_minor


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
