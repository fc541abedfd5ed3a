"""Money is a whole number of the currency's smallest unit: conversion, and how much of it one order and one sum hold.

The event contract takes prices up to 1e12 and 100,000 pieces a line. One such line would not fit 64 bits, and one
anonymous purchase would stop every store that counts it; so an order, and each of its lines, counts for at most
``MAX_ORDER_MINOR``, and a sum stops at ``MAX_SUM``. Both are far beyond any shop, and fit int64 and float64 exactly.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

# ISO 4217: the currencies whose minor unit is not 1/100.
_EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF"), 0
    ),
    **dict.fromkeys(("XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


MAX_ORDER_MINOR: Final = 10**14
"""The most that an order, or a line of one, counts for: 1e12 units of two decimals, the contract's largest amount."""

MAX_SUM: Final = 2**53 - 1
"""Where sums stop: the largest whole number that float64, JSON and int64 all hold exactly."""


def bounded(minor: int) -> int:
    """Return what an order, or a line of one, counts for."""
    return max(-MAX_ORDER_MINOR, min(minor, MAX_ORDER_MINOR))


def saturated(total: int) -> int:
    """Return a sum that stops at ``MAX_SUM`` on either side of 0."""
    return max(-MAX_SUM, min(total, MAX_SUM))


def to_minor(amount: Decimal, currency: str) -> int:
    """Return ``amount`` in the smallest unit of ``currency``, such as cents; half a unit goes to even."""
    scaled = amount.scaleb(_EXPONENTS.get(currency, 2))
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def to_major(minor: int, currency: str) -> float:
    """Return an amount of smallest units as shops write it: 1299 cents are 12.99."""
    return minor / float(10 ** _EXPONENTS.get(currency, 2))
