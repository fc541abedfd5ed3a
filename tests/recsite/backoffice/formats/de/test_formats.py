"""Dates and numbers as German staff read them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import floatformat
from django.utils import formats, translation


def test_dates_and_numbers_are_written_as_germans_write_them() -> None:
    moment = datetime(2026, 3, 4, 17, 5, tzinfo=UTC)
    with translation.override("de"):
        assert formats.date_format(moment, "DATE_FORMAT") == "4. März 2026"
        assert formats.date_format(moment, "DATETIME_FORMAT") == "4. März 2026 17:05 UTC"
        assert formats.date_format(moment, "SHORT_DATE_FORMAT") == "04.03.2026"
        assert intcomma(12345) == "12.345"
        assert floatformat(1234.5, "2g") == "1.234,50"
