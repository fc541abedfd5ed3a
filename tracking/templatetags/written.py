"""Numbers, amounts and days as the reader's language writes them: the one home, for templates and for Python.

How each language writes is in ``recsite/backoffice/formats``. Files, logs and the API write the same for everybody,
elsewhere.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final

from django import template
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language

from tracking.contract.mending.currencies import CURRENCIES

register = template.Library()

_OTHER_EXPONENT: Final = 2
_COMMA_AFTER_WEEKDAY: Final = ("de",)
"""Languages that write ``Di, 24. Nov.`` and not ``Tue 24 Nov``."""


@register.filter
def whole(value: float | Decimal) -> str:
    """Return a number without decimals: ``4,781``, ``4.781``."""
    return number_format(value, 0, force_grouping=True)


@register.filter
def decimal(value: float | Decimal, digits: int = 1) -> str:
    """Return a number with so many decimals: ``4,781.5``, ``4.781,5``."""
    return number_format(value, digits, force_grouping=True)


@register.filter
def short(value: float | Decimal) -> str:
    """Return a number with as few of at most six digits as it needs: ``12``, ``0.5``, ``0,5``."""
    return number_format(f"{value:g}") if "e" not in f"{value:g}" else whole(value)


@register.filter
def amount(minor: int, currency: str) -> str:
    """Return an amount of smallest units in its currency's own decimals: ``4,781.25``, ``4.781,25``."""
    exponent = CURRENCIES.get(currency, _OTHER_EXPONENT)
    return number_format(Decimal(minor).scaleb(-exponent), exponent, force_grouping=True)


@register.filter
def day(value: dt.date) -> str:
    """Return a day of a year that is known: ``24 Nov``, ``24. Nov.``."""
    return date_format(value, "MONTH_DAY_FORMAT")


@register.filter
def weekday(value: dt.date) -> str:
    """Return the day with that of the week: ``Tue 24 Nov``, ``Di, 24. Nov.``."""
    comma = "," if (get_language() or "")[:2] in _COMMA_AFTER_WEEKDAY else ""
    return f"{date_format(value, 'D')}{comma} {day(value)}"


@register.filter
def moment(value: dt.datetime) -> str:
    """Return a day and a time: ``24 Nov 14:05``, ``24. Nov. 14:05``; in the time zone that is active."""
    return f"{day(value)} {date_format(value, 'TIME_FORMAT')}"


def in_zone(value: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a moment as clocks of a zone show it, with the zone's short name: ``24 Nov 2026 14:05 CET``."""
    local = value.astimezone(zone)  # Django's own format leaves the zone out when clocks show an hour twice
    return f"{date_format(local, 'DATE_FORMAT')} {date_format(local, 'TIME_FORMAT')} {local.tzname()}"
