"""Lists are edited as lines, as they come out of a spreadsheet, and times as clocks show them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from recommendations.admin.fields import LinesField, LinesWidget, LocalTimeField
from recommendations.core.local_times import local_time

SINCE, UNTIL = dt.datetime.fromisoformat("2005-01-01"), dt.datetime.fromisoformat("2037-01-01")


def test_blank_lines_spaces_and_repeats_are_dropped_and_the_order_stays() -> None:
    assert LinesField().clean(" b \r\n\n a\nb\n") == ["b", "a"]


def test_a_list_is_shown_as_lines_and_read_back() -> None:
    field = LinesField()

    assert field.prepare_value(["b", "a"]) == "b\na"
    assert field.to_python(field.prepare_value(["b", "a"])) == ["b", "a"]
    assert field.prepare_value("as typed\n\n") == "as typed\n\n", "what was refused comes back as it was typed"


@pytest.mark.parametrize(
    ("initial", "typed", "changed"),
    [(["a", "b"], "a\n\n b ", False), (["a", "b"], "b\na", True), ([], "", False), (None, " \n", False)],
)
def test_spacing_is_no_change_and_order_is(initial: list[str] | None, typed: str, changed: bool) -> None:
    assert LinesField(required=False).has_changed(initial, typed) is changed


@pytest.mark.slow
def test_the_script_knows_what_to_offer_and_where_to_ask() -> None:
    html = LinesWidget(kind="brands", placeholder="Search brands …").render("brands", "Loam")

    assert 'data-suggest="brands"' in html
    assert 'data-suggest-url="/admin/recommendations/rule/suggest/"' in html


@given(
    st.datetimes(timezones=st.just(dt.UTC), min_value=SINCE, max_value=UNTIL),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_a_moment_is_shown_and_read_as_clocks_of_the_zone_show_it(moment: dt.datetime, name: str) -> None:
    field = LocalTimeField(required=False)
    field.zone = ZoneInfo(name)
    moment = moment.replace(microsecond=0)

    shown = [each.isoformat() for each in field.widget.decompress(field.prepare_value(moment))]

    assert field.clean(shown) == local_time(moment, field.zone)
    assert not field.has_changed(moment, shown)
    assert field.has_changed(moment, ["2001-01-01", "00:00"])


def test_a_day_without_a_time_begins_at_midnight_and_a_time_without_a_day_is_refused() -> None:
    field = LocalTimeField(required=False)

    assert field.clean(["2030-01-31", ""]) == dt.datetime.fromisoformat("2030-01-31")
    assert field.clean(["", ""]) is None
    with pytest.raises(ValidationError):
        field.clean(["", "12:00"])
