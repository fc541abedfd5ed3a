"""When something happened, from what a log writes: numbers of four units, ISO 8601, and what resembles it.

The unit of a number is told from its size: between 1990 and 2100 the four units have no number in common.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of each unit."""

_FROM_S: Final = 631_152_000  # 1990
_UNTIL_S: Final = 4_102_444_800  # 2100
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
        raise UnreadableTime(f"time={text[:40]!r} is no time; {_REMEDY}") from None


def _milliseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    milliseconds = round(aware.timestamp() * 1_000)
    if not 0 <= milliseconds < _UNTIL_S * 1_000:
        raise UnreadableTime(f"time={moment.isoformat()} is not between 1970 and 2100")
    return milliseconds
