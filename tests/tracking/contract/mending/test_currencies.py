from __future__ import annotations

import pytest

from tracking.contract.mending.currencies import CURRENCIES, SYMBOLS, UNKNOWN, has_excess_decimals


def test_exponents_are_those_of_the_standard() -> None:
    assert {code: CURRENCIES[code] for code in ("EUR", "JPY", "KWD", "HUF", "CLP")} == {
        "EUR": 2, "JPY": 0, "KWD": 3, "HUF": 2, "CLP": 0,
    }  # fmt: skip


def test_every_symbol_means_currencies_that_exist() -> None:
    unknown = {symbol: codes for symbol, codes in SYMBOLS.items() if not set(codes) <= CURRENCIES.keys()}

    assert unknown == {}


def test_the_code_of_what_is_unknown_has_no_minor_unit() -> None:
    assert UNKNOWN not in CURRENCIES


@pytest.mark.parametrize(
    ("amount", "currency", "is_rounded"),
    [(12.99, "EUR", False), (12.999, "EUR", True), (6000.0, "JPY", False), (0.5, "JPY", True), (1.234, "KWD", False)],
)
def test_more_decimals_than_the_currency_has_are_known(amount: float, currency: str, is_rounded: bool) -> None:
    assert has_excess_decimals(amount, currency) is is_rounded
