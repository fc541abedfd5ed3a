from __future__ import annotations

from tracking.contract.mending.currencies import CURRENCIES, SYMBOLS


def test_exponents_are_those_of_the_standard() -> None:
    assert {code: CURRENCIES[code] for code in ("EUR", "JPY", "KWD", "HUF", "CLP")} == {
        "EUR": 2, "JPY": 0, "KWD": 3, "HUF": 2, "CLP": 0,
    }  # fmt: skip


def test_every_symbol_means_currencies_that_exist() -> None:
    unknown = {symbol: codes for symbol, codes in SYMBOLS.items() if not set(codes) <= CURRENCIES.keys()}

    assert unknown == {}
