"""When something happened, from what a log writes: numbers of four units, ISO 8601, and what resembles it.

The unit of a number is told from its size: between 1990 and 2100 the four units have no number in common.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of each unit."""

_FROM_S: Final = 631_152_000  # 1990
_UNTIL_S: Final = 4_102_444_800  # 2100
_COMPACT: Final = re.compile(r"(?:19[789]\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[T ]?(\d{4}|\d{6}))?")
_DAY_AND_MONTH: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}:\d{2}(?::\d{2})?))?")
_NAMED: Final = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y")
_REMEDY: Final = "name the unit: --map time=COLUMN:s (s, ms, us, ns), or :%d/%m/%Y for dates"


class UnreadableTime(ValueError):
    """No moment, or several; the message says what to do."""


def read_time(value: Any, unit: str = "") -> tuple[int, str]:
    """Return (milliseconds since 1970, what it was read as).

    Parameters
    ----------
    value : str, int, float or datetime
        Without a time zone, UTC.
    unit : str
        ``s``, ``ms``, ``us``, ``ns``, a pattern of ``strptime``; told from the value when empty.

    Raises
    ------
    UnreadableTime
        It is no time, or its unit is not known.
    """
    if isinstance(value, datetime):
        return _milliseconds(value), "date and time"
    if isinstance(value, date):
        return _milliseconds(datetime(value.year, value.month, value.day, tzinfo=UTC)), "date"
    text = str("" if value is None else value).strip()
    if "%" in unit:
        try:
            return _milliseconds(datetime.strptime(text, unit).replace(tzinfo=UTC)), unit
        except ValueError as error:
            raise UnreadableTime(f"time={text[:40]!r} is not of the form {unit}") from error
    if not unit and _COMPACT.fullmatch(text):
        return _compact(text)
    try:
        number = int(text) if text.isdecimal() else float(text)
    except ValueError:
        return _written(text)
    return _numbered(number, text, unit)


def _numbered(number: float, text: str, unit: str) -> tuple[int, str]:
    if unit:
        nanoseconds = number * UNITS[unit]
        if not 0 <= nanoseconds < _UNTIL_S * 1_000_000_000:
            raise UnreadableTime(f"time={text[:40]!r} in {unit} is not between 1970 and 2100")
        return int(nanoseconds // 1_000_000), unit
    for name, scale in UNITS.items():
        if _FROM_S * 1_000_000_000 <= number * scale < _UNTIL_S * 1_000_000_000:
            return int(number * scale // 1_000_000), name
    raise UnreadableTime(f"time={text[:40]!r} is no time between 1990 and 2100 in any unit; {_REMEDY}")


def _written(text: str) -> tuple[int, str]:
    plain = text.removesuffix(" UTC").removesuffix(" GMT").replace("/", "-")
    try:
        return _milliseconds(datetime.fromisoformat(plain)), "date" if len(plain) <= 10 else "date and time"
    except ValueError:
        found = _day_and_month(text) or _with_names(text)
    if found is None:
        raise UnreadableTime(f"time={text[:40]!r} is no time; {_REMEDY}")
    return _milliseconds(found), "date and time" if found.time() else "date"


def _compact(text: str) -> tuple[int, str]:
    """Return the time of ``20200913``, or with a clock behind it: digits that no unit of time takes."""
    digits = re.sub(r"\D", "", text)
    pattern = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(digits)]
    try:
        return _milliseconds(datetime.strptime(digits, pattern).replace(tzinfo=UTC)), "date and time"
    except ValueError:
        raise UnreadableTime(f"time={text[:40]!r} is no time; {_REMEDY}") from None


def _day_and_month(text: str) -> datetime | None:
    """Return the time of ``13.09.2020 12:26`` and ``9/13/2020``: with full stops, or where one only can be a month."""
    match = _DAY_AND_MONTH.fullmatch(text)
    if match is None:
        return None
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] != "." and first <= 12 and second <= 12 and first != second:
        return None
    day, month = (second, first) if match[2] != "." and second > 12 else (first, second)
    hour, minute, *seconds = (int(part) for part in (match[5] or "0:0").split(":"))
    try:
        return datetime(year, month, day, hour, minute, seconds[0] if seconds else 0, tzinfo=UTC)
    except ValueError:
        return None


def _with_names(text: str) -> datetime | None:
    """Return the time of ``Sep 13, 2020`` or ``Sun, 13 Sep 2020 12:26:40 GMT``."""
    for pattern in _NAMED:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None


def _milliseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    milliseconds = round(aware.timestamp() * 1_000)
    if not 0 <= milliseconds < _UNTIL_S * 1_000:
        raise UnreadableTime(f"time={moment.isoformat()} is not between 1970 and 2100")
    return milliseconds
