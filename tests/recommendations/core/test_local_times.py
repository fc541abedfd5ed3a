"""Every instant has a wall-clock time and comes back from it; times that clocks skip or show twice are told apart."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.local_times import SkippedTime, instant, instants, local_time, written

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
        "America/St_Johns", "Africa/Casablanca", "Antarctica/Troll", "Asia/Tokyo",
    )
]  # fmt: skip
SINCE, UNTIL = dt.datetime.fromisoformat("2005-01-01"), dt.datetime.fromisoformat("2037-01-01")
_zones = st.sampled_from(ZONES)
_moments = st.datetimes(SINCE, UNTIL, timezones=st.just(dt.UTC))
_locals = st.datetimes(SINCE, UNTIL)


def transitions(zone: ZoneInfo, year: int) -> list[dt.datetime]:
    """Return the hours of a year in which the zone's offset changes."""
    hours = [dt.datetime(year, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=number) for number in range(366 * 24)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return [hours[number] for number in range(1, len(hours)) if offsets[number] != offsets[number - 1]]


@given(_moments, _zones)
def test_an_instant_is_among_those_of_its_own_wall_clock_time(moment: dt.datetime, zone: ZoneInfo) -> None:
    found = instants(local_time(moment, zone), zone)

    assert moment in found
    assert list(found) == sorted(set(found))
    assert all(local_time(each, zone) == local_time(moment, zone) for each in found)


@given(_locals, _zones)
def test_a_time_has_instants_or_is_skipped_and_then_has_neighbours_that_exist(
    local: dt.datetime, zone: ZoneInfo
) -> None:
    found = instants(local, zone)
    if found:
        assert (instant(local, zone), instant(local, zone, is_last=True)) == (found[0], found[-1])
        return
    with pytest.raises(SkippedTime) as skipped:
        instant(local, zone)
    assert skipped.value.earlier < local < skipped.value.later
    assert instants(skipped.value.earlier, zone)
    assert instants(skipped.value.later, zone)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_around_every_change_of_the_clocks_times_come_back_or_are_named(zone: ZoneInfo) -> None:
    for change in transitions(zone, 2026):
        for minutes in range(-150, 151, 15):
            moment = change + dt.timedelta(minutes=minutes)
            assert moment in instants(local_time(moment, zone), zone)
        shown = [local_time(change + dt.timedelta(minutes=minutes), zone) for minutes in range(-150, 151)]
        first, last = shown[0], shown[-1]
        n_minutes = int((last - first).total_seconds() // 60) + 1
        by_number = [len(instants(first + dt.timedelta(minutes=number), zone)) for number in range(n_minutes)]
        # What clocks skip no instant shows, what they show twice has two.
        assert by_number.count(0) == len({first + dt.timedelta(minutes=n) for n in range(n_minutes)} - set(shown))
        assert by_number.count(2) == len(shown) - len(set(shown))


def test_skipped_and_doubled_hours_of_berlin() -> None:
    with pytest.raises(
        SkippedTime, match=r"29 Mar 2026 02:30 does not exist in Europe/Berlin.*choose 01:30 or 03:30\."
    ):
        instant(dt.datetime.fromisoformat("2026-03-29T02:30"), BERLIN)

    twice = dt.datetime.fromisoformat("2026-10-25T02:30")
    assert [f"{each:%H:%M}" for each in instants(twice, BERLIN)] == ["00:30", "01:30"]
    assert written(instant(twice, BERLIN), BERLIN) == "25 Oct 2026 02:30 CEST"
    assert written(instant(twice, BERLIN, is_last=True), BERLIN) == "25 Oct 2026 02:30 CET"
