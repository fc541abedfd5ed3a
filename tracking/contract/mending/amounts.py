"""Amounts of money as shops write them: either separator, symbols and codes, grouped digits. Pure.

An amount is taken only where it has one reading. ``1,299`` may be one and a bit or thirteen hundred; such a text is
read by the decimal separator that the caller knows of its source, and otherwise not at all.

References
----------
ISO 4217, "Codes for the representation of currencies" (codes and exponents).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final, Literal

from tracking.contract.mending.currencies import CURRENCIES, SYMBOLS

Separator = Literal[".", ","]

MAX_TEXT: Final = 60
_MAX_MARKUP: Final = 500
_TAG: Final = re.compile(r"<[^<>]{0,200}>")
_TAX_NOTE: Final = re.compile(
    r"[\s,;(]*\b(?:(?:incl|inkl|excl|exkl|zzgl|inc|ex|plus)\b\.?[\w\s%.,]*?(?:vat|tax|gst|mwst|ust|btw|moms|iva|tva|dph)\b\.?"
    r"|ttc|h\.?t\.?va)\s*\)?\s*$",
    re.IGNORECASE,
)
_SEPARATORS: Final = str.maketrans({"\u066b": ".", "\u066c": ",", "\uff0e": ".", "\uff0c": ",", "\uff0d": "-"})
_SPACES: Final = re.compile(r"[\s\u00a0\u202f\u2009_]+")
_SHAPE: Final = re.compile(
    r"(?P<before>[^\d.,'\u2019+\-\u2212()]*)(?P<number>[\d.,'\u2019+\-\u2212()eE \u00a0\u202f\u2009]*)(?P<after>.*)"
)
_EXPONENT: Final = re.compile(r"\d+(?:\.\d+)?[eE][+-]?\d{1,2}")
_NOTHING_AFTER: Final = re.compile(r"[,.]\s*[-\u2013\u2014]+$")  # "5,-" and "5.--" are five
_GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}")  # thousands, and India's lakhs


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An amount that was understood.

    Attributes
    ----------
    value : Decimal
        In whole units of the currency; below 0 for a discount.
    currency : str or None
        The ISO code that stood beside it; None where none did, or a symbol that several currencies share.
    is_plain : bool
        It was written as the contract asks: a number, or digits with a decimal point.
    """

    value: Decimal
    currency: str | None = None
    is_plain: bool = True


class UnreadableAmount(ValueError):
    """A value that is no amount, or one with two readings; the message says which, and the remedy."""


def read_amount(written: object, *, decimal: Separator | None = None, currency: str | None = None) -> Amount | None:
    """Return the amount that ``written`` says; None where it says nothing (None, an empty text, NaN).

    Parameters
    ----------
    written : object
        A number; a text such as ``"1.299,00 EUR"``, ``"$19.99"``, ``"CHF 1'299.-"`` or ``"&euro;9.50 incl. VAT"``, in
        the digits of any script; an object of amount and currency.
    decimal : "." or ",", optional
        The separator that the source uses before decimals, for texts with two readings.
    currency : str, optional
        The currency that the source is known to use: it settles ``$`` and ``kr``, and how many decimals there can be.

    Raises
    ------
    UnreadableAmount
        It is no amount, or has two readings.
    """
    if written is None or (isinstance(written, float) and written != written):
        return None
    if isinstance(written, Mapping):
        return _of_object(written, decimal=decimal, currency=currency)
    if isinstance(written, bool) or not isinstance(written, int | float | Decimal | str):
        raise UnreadableAmount(f"{_short(written)} is not an amount; write it as 12.99")
    if not isinstance(written, str):
        if isinstance(written, float) and not isfinite(written):
            raise UnreadableAmount(f"{written} is not a finite amount; write it as 12.99")
        return Amount(value=Decimal(str(written)))
    text = _plain(written)
    if not text or text.lower() in NOTHING:
        return None
    if text.lower() in FREE:
        return Amount(value=Decimal(0), is_plain=False)
    if len(text) > MAX_TEXT:
        raise UnreadableAmount(f"{_short(text)} is too long to be an amount; write it as 12.99")
    if re.fullmatch(r"-?\d+(?:\.\d{1,2})?", text):
        return Amount(value=Decimal(text))
    return _from_text(text, decimal=decimal, currency=currency)


def _of_object(written: Mapping[str, object], *, decimal: Separator | None, currency: str | None) -> Amount | None:
    """Return the amount of an object such as ``{"amount": "9.50", "currencyCode": "EUR"}``."""
    names = [name for name in ("amount", "value", "price") if isinstance(written.get(name), str | int | float)]
    if not names:
        raise UnreadableAmount(f"{_short(dict(written))} is not an amount; write it as 12.99")
    said = next((written[name] for name in ("currency", "currencyCode", "currency_code") if name in written), None)
    own = read_currency(said, expected=currency)
    amount = read_amount(written[names[0]], decimal=decimal, currency=own or currency)
    if amount is None:
        return None
    if own is not None and amount.currency not in (None, own):
        raise UnreadableAmount(f"{_short(dict(written))} names two currencies; write it as 12.99 EUR")
    return Amount(value=amount.value, currency=own or amount.currency, is_plain=False)


def _plain(written: str) -> str:
    """Return a text without markup, references and notes on tax, its digits those of ASCII."""
    text = written.strip()
    if len(text) <= _MAX_MARKUP and ("<" in text or "&" in text):
        text = _TAG.sub("", html.unescape(text)).strip()
    if not text.isascii():
        digits = (str(unicodedata.decimal(character, character)) for character in text.translate(_SEPARATORS))
        text = "".join(digits)
    return text if text[-1:].isdigit() or len(text) > 2 * MAX_TEXT else _TAX_NOTE.sub("", text)


def _from_text(text: str, *, decimal: Separator | None, currency: str | None) -> Amount:
    match = _SHAPE.fullmatch(text)
    if match is None or not any(character.isdigit() for character in match["number"]):
        raise UnreadableAmount(f"{_short(text)} is not an amount; write it as 12.99")
    number, after = match["number"], match["after"]
    if number[-1:] in ("e", "E") and after:  # "19.99 EUR": the letter belongs to the code
        number, after = number[:-1], number[-1] + after
    before = match["before"]
    if before[-1:].isalpha() and number.startswith(".") and before.strip().upper() not in CURRENCIES:
        number = number[1:]  # the full stop belongs to the word: "Rs. 499", "Fr. 12.50"
    after = after.lstrip("-\u2013\u2014")
    found = _currency_of(before, after, expected=currency, text=text)
    number = _SPACES.sub(" ", number).strip().replace("\u2212", "-").replace("\u2019", "'")
    if re.search(r"\d[ '](?!\d{3}(?!\d))(?=\d)", number):
        raise UnreadableAmount(f"{_short(text)} holds several numbers; write one, as 12.99")
    digits = number.replace(" ", "")
    if digits.startswith("(") and digits.endswith(")"):
        digits = "-" + digits[1:-1]
    sign = -1 if digits.startswith("-") else 1
    digits, n_dashes = _NOTHING_AFTER.subn("", digits.lstrip("+-"))
    digits = digits.replace("'", "")
    if n_dashes:  # the dash stands for the decimals, so that whatever separates before it groups
        digits = digits.replace(".", "").replace(",", "")
    if _EXPONENT.fullmatch(digits):
        return Amount(value=sign * Decimal(digits), currency=found, is_plain=False)
    if not re.fullmatch(r"[\d.,]+", digits):
        raise UnreadableAmount(f"{_short(text)} is not an amount; write it as 12.99")
    exponent = CURRENCIES.get(found or currency or "", None)
    value = _grouped(digits, text=text, decimal=decimal, exponent=exponent)
    return Amount(value=sign * value, currency=found, is_plain=False)


def _grouped(digits: str, *, text: str, decimal: Separator | None, exponent: int | None) -> Decimal:
    """Return the number of ``digits``, dots and commas, by whichever of the two is the decimal separator."""
    dots, commas = digits.count("."), digits.count(",")
    if dots and commas:
        point: Separator = "." if digits.rindex(".") > digits.rindex(",") else ","
        return _number(digits, point=point, text=text)
    if dots + commas > 1:  # a separator that repeats groups digits, all but "1.299.00", whose last group is too short
        mark: Separator = "." if dots else ","
        whole, _, tail = digits.rpartition(mark)
        if len(tail) < 3:
            return _number(f"{whole.replace(mark, '')}.{tail}", point=".", text=text, groups=whole.split(mark))
        return _number(digits, point="," if dots else ".", text=text)
    if dots + commas == 0:
        return Decimal(digits)
    separator: Separator = "." if dots else ","
    head, _, tail = digits.partition(separator)
    if len(tail) != 3 or not 1 <= len(head) <= 3 or head[0] == "0":
        return _number(digits, point=separator, text=text)  # thousands have three digits, and a digit before them
    if exponent == 0:
        return _number(digits, point="," if dots else ".", text=text)  # the currency has no decimals
    if exponent == 3 and decimal is None:
        return _number(digits, point=separator, text=text)  # the currency has three
    if decimal is None:
        raise UnreadableAmount(
            f"{_short(text)} has two readings; write {head}{tail}.00 or {head}.{tail}, or set the decimal separator"
        )
    return _number(digits, point=decimal, text=text)


def _number(digits: str, *, point: Separator, text: str, groups: list[str] | None = None) -> Decimal:
    group = "," if point == "." else "."
    whole, _, decimals = digits.partition(point)
    written = ",".join(groups or whole.split(group))
    if "," in written and not _GROUPED.fullmatch(written):
        raise UnreadableAmount(f"{_short(text)} is not grouped as numbers are; write it as 1299.00")
    if group in decimals or point in decimals:
        raise UnreadableAmount(f"{_short(text)} is not an amount; write it as 12.99")
    try:
        return Decimal(f"{whole.replace(group, '') or '0'}.{decimals or '0'}")
    except InvalidOperation as error:  # pragma: no cover  (only digits are left)
        raise UnreadableAmount(f"{_short(text)} is not an amount; write it as 12.99") from error


def _currency_of(before: str, after: str, *, expected: str | None, text: str) -> str | None:
    """Return the code that the words around a number name; None where they name none, or one of several."""
    found: str | None = None
    for words in (before, after):
        word = words.strip().strip(".").strip()
        if not word:
            continue
        said = read_currency(word, expected=expected)
        if said is None and word.lower() not in SYMBOLS:
            raise UnreadableAmount(f"{_short(text)} has {word!r} beside the amount; write it as 12.99 EUR")
        if found is not None and said is not None and said != found:
            raise UnreadableAmount(f"{_short(text)} names two currencies; write it as 12.99 EUR")
        found = said or found
    return found


def read_currency(written: object, *, expected: str | None = None) -> str | None:
    """Return the ISO 4217 code that ``written`` names in whatever case, or by its symbol; None where it names none.

    A symbol that several currencies share, such as ``$``, means ``expected`` where that is one of them.
    """
    if not isinstance(written, str):
        return None
    word = written.strip()
    if word.upper() in CURRENCIES:
        return word.upper()
    codes = SYMBOLS.get(word.lower().strip(".") if len(word) > 1 else word.lower(), ())
    if len(codes) == 1:
        return codes[0]
    return expected if expected in codes else None


FREE: Final = frozenset({"free", "gratis", "kostenlos", "gratuit", "free shipping"})
"""Words for an amount of 0."""

NOTHING: Final = frozenset({"nan", "null", "none", "undefined", "n/a", "-", "(not set)", "(none)"})
"""What programs write where there is no value."""


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= MAX_TEXT + 2 else shown[:MAX_TEXT] + "…'"
