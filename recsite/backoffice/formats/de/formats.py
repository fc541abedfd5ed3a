"""Dates as German shops write them, on a clock of 24 hours, with their time zone; separators are Django's own."""

from __future__ import annotations

DATE_FORMAT = "j. F Y"
TIME_FORMAT = "H:i"
MONTH_DAY_FORMAT = "j. N"
DATETIME_FORMAT = "j. F Y H:i e"
SHORT_DATE_FORMAT = "d.m.Y"
SHORT_DATETIME_FORMAT = "d.m.Y H:i"
