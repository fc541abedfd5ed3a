"""Dates that read the same on both sides of the Atlantic, on a clock of 24 hours, with their time zone."""

from __future__ import annotations

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
MONTH_DAY_FORMAT = "j M"
DATETIME_FORMAT = "j M Y H:i e"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
