"""Times and periods, as feeds write them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feeds.mends import BadValue
from features.feeds.periods import as_moment, as_period

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  bounds
    lambda moment: moment.replace(microsecond=0)
)
ZONES = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))


@given(MOMENTS, ZONES, st.sampled_from(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z"]))
def test_a_time_is_the_same_in_every_zone(moment: datetime, zone: timezone, form: str) -> None:
    assert as_moment("x", moment.astimezone(zone).strftime(form)) == moment


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-04",
        "20260304",
        "3/4/26",
        "3/4/2026",
        "4.3.2026",
        "2026/03/04",
        "03/04/2026 12:00 AM",
        "2026-03-04T00:00Z",
    ],
)
def test_a_day_is_read_as_systems_write_it(written: str) -> None:
    assert as_moment("x", written) == datetime(2026, 3, 4, tzinfo=UTC)


@given(MOMENTS, MOMENTS, st.sampled_from(["/", " / ", " - ", "|"]))
def test_a_period_is_two_times(one: datetime, other: datetime, between: str) -> None:
    starts, ends = sorted((one, other))
    written = between.join(moment.strftime("%Y-%m-%dT%H:%M:%S%z") for moment in (starts, ends))

    if starts == ends:
        with pytest.raises(BadValue, match="ends before it begins"):
            as_period("sale_period", written)
    else:
        assert as_period("sale_period", written) == (starts, ends)


def test_the_end_of_a_period_of_days_is_the_end_of_its_last_day() -> None:
    assert as_period("x", "2026-01-01/2026-01-31") == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("written", ["in spring", "2026-13-01", "13/13/2026", "9999-12-31T23:59-12:00", "31.2.2026"])
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(BadValue):
        as_moment("x", written)


@given(st.text(max_size=30), st.booleans())
def test_no_text_fails_in_another_way(written: str, is_end: bool) -> None:
    with contextlib.suppress(BadValue):
        as_moment("x", written, is_end=is_end)
    with contextlib.suppress(BadValue):
        as_period("x", written)
