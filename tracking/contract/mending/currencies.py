"""Currencies: the codes and exponents of ISO 4217, and the symbols that shops write for them. Pure.

The codes come from the package ``iso4217``, which follows the standard's own list. Symbols are no part of the standard;
one that several currencies share names all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from iso4217 import Currency

CURRENCIES: Final[Mapping[str, int]] = {each.code: each.exponent for each in Currency if each.exponent is not None}
"""Code to exponent: how many decimals the currency's minor unit has. Without metals and test codes, which have none."""

UNKNOWN: Final = "XXX"
"""ISO 4217's code for no currency: what an amount is in whose currency was named and has no reading."""

SYMBOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "€": ("EUR",), "euro": ("EUR",), "euros": ("EUR",),
    "£": ("GBP",), "us$": ("USD",), "ca$": ("CAD",), "c$": ("CAD",), "a$": ("AUD",), "au$": ("AUD",),
    "nz$": ("NZD",), "hk$": ("HKD",), "s$": ("SGD",), "r$": ("BRL",), "mx$": ("MXN",),
    "$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN", "ARS", "CLP", "COP"),
    "¥": ("JPY", "CNY"), "円": ("JPY",), "元": ("CNY",), "₹": ("INR",), "rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "kr": ("SEK", "NOK", "DKK", "ISK"), "zł": ("PLN",), "zl": ("PLN",), "kč": ("CZK",), "kc": ("CZK",),
    "ft": ("HUF",), "lei": ("RON",), "₽": ("RUB",), "\u0440\u0443\u0431": ("RUB",),
    "₺": ("TRY",), "tl": ("TRY",),
    "₴": ("UAH",), "грн": ("UAH",), "₪": ("ILS",), "₩": ("KRW",), "฿": ("THB",), "₫": ("VND",), "đ": ("VND",),
    "₱": ("PHP",), "r": ("ZAR",), "fr": ("CHF",), "sfr": ("CHF",), "rm": ("MYR",), "rp": ("IDR",), "₦": ("NGN",),
}  # fmt: skip
"""A symbol, in lower case and without its full stop, to the codes that it may mean."""


def has_excess_decimals(amount: float | Decimal, currency: str, *, otherwise: int = 2) -> bool:
    """Return whether the amount has more decimals than the currency, or than ``otherwise`` where it has no exponent.

    Of a float, the shortest text that reads as it counts: 12.99 has two.
    """
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    scaled = exact.scaleb(CURRENCIES.get(currency, otherwise))
    return scaled != scaled.to_integral_value()
