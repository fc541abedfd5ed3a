"""Dates as staff read them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import formats, translation


def test_dates_read_the_same_on_both_sides_of_the_atlantic() -> None:
    moment = datetime(2026, 3, 4, 17, 5, tzinfo=UTC)
    with translation.override("en"):
        assert formats.date_format(moment, "DATE_FORMAT") == "4 Mar 2026"
        assert formats.date_format(moment, "DATETIME_FORMAT") == "4 Mar 2026 17:05 UTC"
        assert formats.date_format(moment, "SHORT_DATE_FORMAT") == "2026-03-04"
