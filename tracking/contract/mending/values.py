"""Texts, ids and whole numbers as shops send them, put into the form that the contract asks for. Pure.

Each function returns the value and the name of what it did to it (one of ``Done``), or None where nothing was done.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from tracking.contract.placeholders import PLACEHOLDER_IDS, plain_id

MAX_JOINED: Final = 20  # entries of a list that become one text

_LONGEST: Final[int] = 10**18
_ENDLESS: Final[int] = 10**38
_GROUPED: Final = re.compile(r"[1-9]\d{0,2}(?:([,.' \u00a0\u202f])(?!000)\d{3}){1,4}", re.ASCII)
_OF_JAVASCRIPT: Final = re.compile(r"\w{3} (\w{3}) (\d{2}) (\d{4} \d{2}:\d{2}:\d{2}) GMT([+-]\d{4})(?: \(.*\))?")
_HALF: Final = re.compile(r"[\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Done(StrEnum):
    """What was done to a value; the label of the metric and of the data-quality page."""

    RENAMED = "renamed"  # a field, or an event, under another of its usual names
    REREAD = "reread"  # the same value in another type or spelling: a number as text, a currency in lower case
    RESHAPED = "reshaped"  # an object where a list belongs, a list where a text belongs
    CUT = "cut"  # longer than the contract takes
    COMPUTED = "computed"  # made from the other values, so that money or identity is kept
    DROPPED = "dropped"  # no reading; the rest counts
    ROUNDED = "rounded"  # an amount with more decimals than its currency; counted, and the event kept as it came


def as_text(value: object, *, longest: int, joined_by: str = ", ") -> tuple[str | None, Done | None]:
    """Return a text of at most ``longest`` characters; None for what is no text in any reading.

    Numbers become their digits, lists their entries one after the other. Control characters, and halves of characters,
    which no database takes, are left out.
    """
    done: Done | None = None
    if isinstance(value, list | tuple):
        parts = [as_text(each, longest=longest)[0] for each in value[:MAX_JOINED]]
        text, done = joined_by.join(part for part in parts if part), Done.RESHAPED
    elif isinstance(value, str):
        text = value
    elif isinstance(value, bool) or value is None:
        return None, None if value is None else Done.DROPPED
    elif isinstance(value, int | float | Decimal):
        digits = _digits(value)
        if digits is None:
            return None, Done.DROPPED
        text, done = digits, Done.REREAD
    else:
        return None, Done.DROPPED
    if _CONTROL.search(text):
        text, done = _CONTROL.sub("", text), done or Done.REREAD
    if len(text) > longest:
        text, done = text[:longest].rstrip(), Done.CUT
    if not text.strip():
        return None, Done.DROPPED if done else None
    return text, done


def as_id(value: object, *, longest: int = 128) -> tuple[str | None, Done | None]:
    """Return an id; None for what identifies nothing: true, NaN, ``undefined``, an object, a text that is too long.

    A spreadsheet writes 39910 as ``39910.0``; such a *number* is the id without its decimals. A text is taken as it
    stands but for ``plain_id``: ``0071`` is not 71. An id is never cut: two of them could become one. Of an object,
    its ``id`` counts.
    """
    if isinstance(value, bool) or value is None:
        return None, Done.DROPPED
    if isinstance(value, str):
        text = plain_id(_CONTROL.sub("", value))
        if text.lower() in PLACEHOLDER_IDS or len(text) > longest:
            return None, Done.DROPPED
        return text, None if text == value else Done.REREAD
    if isinstance(value, int | float | Decimal):
        digits = _digits(value)
        if digits is None or len(digits) > longest:
            return None, Done.DROPPED
        return digits, Done.REREAD
    if isinstance(value, list | tuple) and len(value) == 1:
        return as_id(value[0], longest=longest)[0], Done.RESHAPED
    if isinstance(value, Mapping) and isinstance(value.get("id"), str | int | float):
        return as_id(value["id"], longest=longest)[0], Done.RESHAPED
    return None, Done.DROPPED


def as_integer(value: object) -> tuple[int | None, Done | None]:
    """Return a whole number; fractions are cut off, and what is no number is None.

    Digits in groups, as in ``1,234``, are a number of thousands: nothing is counted in thousandths.
    """
    if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
        value = re.sub(r"\D", "", value)
        return int(value), Done.REREAD
    number = as_number(value)
    if number is None:
        return None, Done.DROPPED if value is not None else None
    if abs(number) >= _LONGEST:
        return None, Done.DROPPED
    whole = int(number)
    return whole, None if type(value) is int and whole == value else Done.REREAD


def as_number(value: object) -> Decimal | None:
    """Return a finite number, also from a text of digits with a decimal point or comma; None for what is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | Decimal):
        number = Decimal(value)
    elif isinstance(value, float):
        number = Decimal(str(value)) if math.isfinite(value) else Decimal("NaN")
    elif isinstance(value, str) and len(value) <= 40:
        try:
            number = Decimal(value.strip().replace(",", ".") if value.count(",") == 1 else value.strip())
        except InvalidOperation:
            return None
    else:
        return None
    return number if number.is_finite() else None


def as_milliseconds(value: object) -> tuple[int | None, Done | None]:
    """Return a time in milliseconds since 1970 from a number, its digits, or an ISO 8601 text with a time zone.

    A unit is never guessed from a number's size: seconds stay a mistake, which the caller names.
    """
    if isinstance(value, str) and not value.strip().lstrip("-").replace(".", "", 1).isdigit():
        moment = _moment(value.strip())
        if moment is None or moment.tzinfo is None:
            return None, Done.DROPPED
        return round(moment.timestamp() * 1000), Done.REREAD
    return as_integer(value)


def _moment(text: str) -> datetime | None:
    """Return a time as ISO 8601 or as JavaScript's ``toUTCString`` and ``toString`` write it."""
    for read in (datetime.fromisoformat, _parsed_mail_date):
        with contextlib.suppress(ValueError, OverflowError):
            return read(text)
    return None


def _parsed_mail_date(text: str) -> datetime:
    written = _OF_JAVASCRIPT.fullmatch(text)
    return parsedate_to_datetime(f"{written[2]} {written[1]} {written[3]} {written[4]}" if written else text)


def shown(value: Any) -> str:
    """Return a value as a warning shows it: JSON's spelling, at most 80 characters."""
    text = "true" if value is True else "false" if value is False else "null" if value is None else None
    if text is None:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    text = _CONTROL.sub("\ufffd", text)
    return text if len(text) <= 80 else text[:79] + "…"


def _digits(value: float | Decimal) -> str | None:
    """Return the digits of a number as an id has them; None for what is not finite or endless."""
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= _ENDLESS:
        return None
    whole = int(number)
    return str(whole) if whole == number and (isinstance(value, int) or abs(whole) < 2**53) else str(value)


def without_control(value: Any) -> Any:
    """Return a JSON value without control characters and halves of characters, in names and texts alike."""
    return _without(_CONTROL, value)


def without_halves(value: Any) -> Any:
    """Return a JSON value without halves of characters, which UTF-8 has no bytes for; in names and texts alike."""
    return _without(_HALF, value)


def _without(pattern: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, str):
        return pattern.sub("", value)
    if isinstance(value, dict):
        return {pattern.sub("", name): _without(pattern, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(pattern, inner) for inner in value]
    return value
