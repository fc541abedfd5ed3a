"""Times are told from what is written, in every unit, and never guessed where they have no reading."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsite.importing.reading.times import UNITS, UnreadableTime, read_time

MOMENTS = st.integers(631_152_000_000, 4_102_444_799_000)


@given(MOMENTS, st.sampled_from(list(UNITS)), st.booleans())
def test_a_number_is_read_in_the_unit_that_it_was_written_in(at_ms: int, unit: str, is_text: bool) -> None:
    number = at_ms * 1_000_000 // UNITS[unit]
    written = str(number) if is_text else number
    expected = number * UNITS[unit] // 1_000_000
    assert read_time(written) == (expected, unit)
    assert read_time(written, unit) == (expected, unit)


@given(MOMENTS)
def test_written_times_are_utc_unless_they_say_otherwise(at_ms: int) -> None:
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC)
    at_ms = at_ms // 1_000 * 1_000
    for text in (
        moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S} UTC", f"{moment:%Y/%m/%d %H:%M:%S}",
        f"{moment:%d.%m.%Y %H:%M:%S}", f"{moment:%Y%m%d%H%M%S}", f"{moment:%a, %d %b %Y %H:%M:%S} GMT",
    ):  # fmt: skip
        assert read_time(text)[0] == at_ms
    assert read_time(moment)[0] == read_time(moment.replace(tzinfo=None))[0] == at_ms


@given(MOMENTS)
def test_a_day_with_slashes_is_read_where_only_one_number_can_be_the_month(at_ms: int) -> None:
    day = datetime.fromtimestamp(at_ms // 1_000, UTC).replace(hour=0, minute=0, second=0)
    for written in (f"{day:%d/%m/%Y}", f"{day:%m/%d/%Y}", f"{day.day}-{day.month}-{day.year}"):
        if day.day > 12 or day.day == day.month:
            assert read_time(written)[0] == day.timestamp() * 1_000
        else:
            with pytest.raises(UnreadableTime):
                read_time(written)


@pytest.mark.parametrize(
    "written",
    ["2021-03-01", date(2021, 3, 1), "2021-03-01T02:00:00+02:00", "20210301", "Mar 1, 2021", "01-Mar-2021", "1.3.2021"],
)
def test_dates_begin_at_midnight(written: object) -> None:
    assert read_time(written)[0] == 1_614_556_800_000


def test_a_pattern_reads_what_is_ambiguous() -> None:
    assert read_time("1/3/2021", "%d/%m/%Y")[0] == 1_614_556_800_000


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("17", ""), (-5, ""), ("nan", ""), ("inf", ""), (None, ""), ("", ""), (True, ""), ("1/3/2021", ""),
        ("soon", ""), ("9" * 400, ""), ("1614556800000", "s"), ("2021-03-01", "%d/%m/%Y"), ([1], ""), ("²", ""),
    ],
)  # fmt: skip
def test_what_has_no_reading_is_refused(written: object, unit: str) -> None:
    with pytest.raises(UnreadableTime, match="time="):
        read_time(written, unit)
