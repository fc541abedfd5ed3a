"""Numbers, amounts and days in the two languages of the console."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.utils import translation

from tracking.templatetags.written import amount, day, decimal, in_zone, moment, short, weekday, whole

AT = dt.datetime(2026, 11, 24, 14, 5, tzinfo=dt.UTC)


def test_both_languages_write_as_their_readers_do() -> None:
    written = {}
    for language in ("en", "de"):
        with translation.override(language):
            written[language] = [
                whole(4781.4), decimal(4781.25, 2), short(0.5), short(12.0), short(1e9), amount(478125, "EUR"),
                amount(6000, "JPY"), amount(-1250, "KWD"), day(AT), weekday(AT), moment(AT),
                in_zone(AT, ZoneInfo("Europe/Berlin")),
            ]  # fmt: skip
    assert written["en"] == [
        "4,781", "4,781.25", "0.5", "12", "1,000,000,000", "4,781.25", "6,000", "-1.250", "24 Nov", "Tue 24 Nov",
        "24 Nov 14:05", "24 Nov 2026 15:05 CET",
    ]  # fmt: skip
    assert written["de"] == [
        "4.781", "4.781,25", "0,5", "12", "1.000.000.000", "4.781,25", "6.000", "-1,250", "24. Nov.", "Di, 24. Nov.",
        "24. Nov. 14:05", "24. November 2026 15:05 CET",
    ]  # fmt: skip


def test_an_hour_that_clocks_show_twice_says_which_of_them_it_is() -> None:
    first = dt.datetime(2030, 10, 27, 0, 30, tzinfo=dt.UTC)
    berlin = ZoneInfo("Europe/Berlin")
    assert in_zone(first, berlin) == "27 Oct 2030 02:30 CEST"
    assert in_zone(first + dt.timedelta(hours=1), berlin) == "27 Oct 2030 02:30 CET"
