"""What a report is asked for, read from anywhere, and refused with field, value and remedy."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.reports.credit import ATTRIBUTIONS
from recommendations.reports.figures import GRAINS, Figures
from recommendations.reports.query import SPANS, InvalidReport, ReportQuery, as_csv
from tracking.models import Site

QUERIES = st.builds(
    ReportQuery,
    span=st.sampled_from(list(SPANS)),
    by=st.sampled_from(list(GRAINS)),
    attribution=st.sampled_from(list(ATTRIBUTIONS)),
    placement=st.text("ab&=+ ü", max_size=6).map(str.strip),
)
BERLIN = Site(slug="shop", time_zone="Europe/Berlin")


@given(QUERIES)
def test_what_an_address_says_is_what_was_asked(query: ReportQuery) -> None:
    assert ReportQuery.parse(dict(parse_qsl(query.address(BERLIN).removeprefix("?")))) == query
    assert ReportQuery.parse(query.as_dict()) == query


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"by": "colour"}, "by", "choose one of day"),
        ({"attribution": "first_click"}, "attribution", "last_click_1d"),
        ({"span": "9"}, "span", "choose one of 7"),
        ({"first": "30.11.2026"}, "first", "write a day like"),
        ({"first": "2026-11-30", "last": "2026-11-01"}, "first", "choose an earlier one"),
        ({"first": "2020-01-01", "last": "2026-11-01"}, "first", "at most 400"),
        ({"first": "2026-01-01", "last": "2026-11-01", "by": "hour"}, "by", "at most 31 days"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(asked: dict[str, str], field: str, said: str) -> None:
    with pytest.raises(InvalidReport) as refused:
        ReportQuery.parse(asked)
    assert refused.value.field == field
    assert said in refused.value.reason


def test_spans_move_on_with_the_site_s_own_days() -> None:
    now = dt.datetime(2026, 11, 30, 23, 30, tzinfo=dt.UTC)  # the first of December in Berlin
    assert ReportQuery(span="month").days(BERLIN, now=now) == (dt.date(2026, 12, 1), dt.date(2026, 12, 1))
    assert ReportQuery(span="last_month").days(BERLIN, now=now) == (dt.date(2026, 11, 1), dt.date(2026, 11, 30))
    assert ReportQuery(span="7").days(BERLIN, now=now) == (dt.date(2026, 11, 25), dt.date(2026, 12, 1))


def test_a_table_has_what_stands_apart_in_columns_of_their_own() -> None:
    rows = [Figures(name="=home", currency="EUR", revenue=1_050, orders=0.5, apart={"JPY": 600})]
    head, line = as_csv(Site(slug="shop", currency="EUR"), "placement", rows, lambda text: f"'{text}").splitlines()
    assert head.endswith("revenue_EUR,apart_JPY")
    assert line == "'=home,0,0,0,0,0.5,0,10.50,600"
