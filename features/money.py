"""Money in the database is a whole number of the currency's smallest unit; these two functions convert it."""

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


def to_minor(amount: Decimal, currency: str) -> int:
    """Return ``amount`` in the smallest unit of ``currency``, such as cents; half a unit goes to even."""
    scaled = amount.scaleb(_EXPONENTS.get(currency, 2))
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def to_major(minor: int, currency: str) -> float:
    """Return an amount of smallest units as shops write it: 1299 cents are 12.99."""
    return minor / float(10 ** _EXPONENTS.get(currency, 2))
