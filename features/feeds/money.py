"""Prices of a feed: an amount and its currency in the smallest unit; the reading of amounts is the contract's. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from features.feeds.mends import BadValue, Mends
from features.money import to_minor
from tracking.contract.mending.amounts import Amount, Separator, UnreadableAmount, read_amount
from tracking.contract.mending.currencies import SYMBOLS

_MAX_AMOUNT: Final = Decimal(10) ** 12
_NUMBER: Final = re.compile(r"[\d.,'\u2019\s\u00a0\u202f+\-]+")


def as_price(
    field: str, value: object, *, currency: str, decimal: Separator | None = None, mends: Mends | None = None
) -> tuple[int | None, str | None]:
    """Return an amount in the smallest unit of its currency, and that currency; None for no price.

    Parameters
    ----------
    field : str
    value : object
        A number, or a text such as ``"12.99"``, ``"12,99 €"``, ``"EUR 1.299,00"``.
    currency : str
        Of amounts that name none.
    decimal : "." or ",", optional
        The feed's decimal separator, for amounts with two readings.
    mends : Mends, optional
        Counts what is not written plainly.

    Raises
    ------
    BadValue
        It is no amount, or one with two readings and no ``decimal`` to settle them.
    """
    try:
        amount = read_amount(value, decimal=decimal, currency=currency or None)
    except UnreadableAmount as error:
        reason = str(error)
        if "two readings" in reason:
            reason += " of the feed (--decimal on the command line)"
        raise BadValue(field, value, reason) from error
    if amount is None:
        return None, None
    if amount.value < 0:
        raise BadValue(field, value, "is below zero; a price is at least 0")
    if amount.value > _MAX_AMOUNT:
        raise BadValue(field, value, f"is more than {_MAX_AMOUNT:,}")
    found = amount.currency or _by_symbol(field, value, amount, currency=currency, mends=mends) or currency
    return to_minor(amount.value, found), found


def _by_symbol(field: str, value: object, amount: Amount, *, currency: str, mends: Mends | None) -> str:
    """Return the currency that a symbol of several stands for; the site's is settled by the reading of the amount."""
    if amount.is_plain or not isinstance(value, str):
        return ""
    symbol = _NUMBER.sub("", value).strip(" .-").lower()
    codes = SYMBOLS.get(symbol, ())
    if not codes:
        return ""
    if currency in codes:
        return currency
    if mends is not None:
        mends.count(field, f"{symbol} taken for {codes[0]}", value)
    return codes[0]
