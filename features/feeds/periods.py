"""Times and periods as feeds write them, in UTC where they name no zone. Pure.

References
----------
Google Merchant Center Help, "Sale price effective date" (two ISO 8601 times, separated by a slash).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from features.feeds.mends import BadValue

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(.*)", re.DOTALL)
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})(.*)", re.DOTALL)
_YEAR_FIRST: Final = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(.*)", re.DOTALL)
_CLOCK: Final = re.compile(r"[\s,T]*(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp][Mm])?\s*")
_BETWEEN: Final = re.compile(r"\s*(?:/|\||;|\bto\b|\bbis\b|\s[-\u2013]\s)\s*")


def as_moment(field: str, value: object, *, is_end: bool = False) -> datetime | None:
    """Return a time in UTC; None where there is none. The end of a period that is a day is the end of that day.

    Raises
    ------
    BadValue
        It is no time, or one with two readings.
    """
    text = "" if value is None else str(value).strip().replace("\u00a0", " ")
    if not text or text.startswith("0000-00-00"):
        return None
    text = re.sub(r"\s+(?=[+-]\d{2}:?\d{2}$)", "", text)
    text = re.sub(r"\s*(?:UTC|GMT)$", "+00:00", text)
    try:
        moment = datetime.fromisoformat(text)
        is_day = bool(_DATE.fullmatch(text))
    except ValueError:
        moment, is_day = _written(field, text)
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment + timedelta(days=1) if is_day and is_end else moment
    except OverflowError:
        raise BadValue(field, value, "is no time that a calendar has; write it as 2026-01-31T09:30:00Z") from None


def as_period(field: str, value: object) -> tuple[datetime | None, datetime | None]:
    """Return beginning and end of a period such as ``2026-01-01T00:00+0100/2026-01-31T23:59+0100``.

    Raises
    ------
    BadValue
        It is no period, or it ends before it begins.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return None, None
    parts = _BETWEEN.split(text)
    if len(parts) != 2:
        raise BadValue(field, value, "is not a period; write it as 2026-01-01T00:00Z/2026-01-31T23:59Z")
    starts, ends = as_moment(field, parts[0]), as_moment(field, parts[1], is_end=True)
    if starts is not None and ends is not None and ends <= starts:
        raise BadValue(field, value, "ends before it begins; write the earlier time first")
    return starts, ends


def _written(field: str, text: str) -> tuple[datetime, bool]:
    reason = "is not a time; write it as 2026-01-31T09:30:00Z"
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day, rest = int(match[1]), int(match[2]), int(match[3]), match[4]
    elif match := _DOTTED.fullmatch(text):
        day, month, year, rest = int(match[1]), int(match[2]), int(match[3]), match[4]
    elif match := _SLASHED.fullmatch(text):
        month, day, year, rest = int(match[1]), int(match[2]), int(match[3]), match[4]
        if month > 12:  # the day first; where both could be a month, it is the American order that systems export
            month, day = day, month
    else:
        raise BadValue(field, text, reason)
    clock = _CLOCK.fullmatch(rest) if rest.strip() else None
    if rest.strip() and clock is None:
        raise BadValue(field, text, reason)
    try:
        moment = datetime(year + 2000 if year < 100 else year, month, day)  # noqa: DTZ001  the caller takes it as UTC
        return (moment if clock is None else moment + _time_of(clock)), clock is None
    except ValueError:
        raise BadValue(field, text, reason) from None


def _time_of(clock: re.Match[str]) -> timedelta:
    hour = int(clock[1])
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "pm" else 0)
    return timedelta(hours=hour, minutes=int(clock[2]), seconds=int(clock[3] or 0))
