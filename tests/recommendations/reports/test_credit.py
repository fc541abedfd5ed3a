"""Attribution against a reading of its definition, one conversion at a time."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.reports.credit import (
    ATTRIBUTIONS,
    Attribution,
    attributed,
    conversions_schema,
    credited,
    touches_schema,
    whole_minor,
)

HOUR = 3_600_000
PEOPLE, ITEMS, LISTS = st.sampled_from(["u:a", "a:b"]), st.sampled_from(["S1", "S2", "S3"]), st.sampled_from("xyz")
TIMES = st.integers(0, 10 * 24).map(lambda hour: hour * HOUR)
touches_of = st.lists(st.tuples(PEOPLE, ITEMS, TIMES, LISTS, st.booleans()), max_size=25)
orders_of = st.lists(
    st.tuples(PEOPLE, ITEMS, TIMES, st.sampled_from("cp"), st.integers(1, 3), st.integers(0, 9_999), st.integers(0, 3)),
    max_size=12,
)


def frames(touches: list[tuple], lines: list[tuple]) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [
        (
            number,
            person,
            item,
            at,
            kind,
            pieces,
            0 if kind == "c" else revenue,
            None,
            None if kind == "c" else f"o{order}",
        )
        for number, (person, item, at, kind, pieces, revenue, order) in enumerate(lines)
    ]
    return pl.DataFrame(touches, schema=touches_schema(), orient="row"), pl.DataFrame(
        rows, schema=conversions_schema(), orient="row"
    )


def by_definition(touches: list[tuple], line: tuple, attribution: Attribution) -> dict[str, Fraction]:
    person, item, at = line[:3]
    within = [
        (is_click, touched, label)
        for who, what, touched, label, is_click in touches
        if (who, what) == (person, item) and at - attribution.window_ms <= touched <= at
    ]
    clicks = [touch for touch in within if touch[0]]
    shares: dict[str, Fraction] = defaultdict(Fraction)
    if attribution.name == "linear":
        for _, _, label in clicks:
            shares[label] += Fraction(1, len(clicks))
    elif found := (within if attribution.name == "last_touch" else clicks):
        shares[max(found)[2]] = Fraction(1)
    return dict(shares)


@pytest.mark.slow
@pytest.mark.parametrize("key", ATTRIBUTIONS)
@settings(max_examples=40, deadline=None)
@given(touches_of, orders_of)
def test_shares_are_what_the_definition_says(key: str, touches: list[tuple], lines: list[tuple]) -> None:
    attribution = ATTRIBUTIONS[key]
    found: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in credited(*frames(touches, lines), attribution).iter_rows(named=True):
        found[row["number"]][row["label"]] += row["share"]

    for number, line in enumerate(lines):
        expected = by_definition(touches, line, attribution)
        assert {label: pytest.approx(float(share)) for label, share in expected.items()} == dict(found[number])


@pytest.mark.slow
@pytest.mark.parametrize("key", ["last_click_1d", "linear_7d"])
@settings(max_examples=40, deadline=None)
@given(touches_of, orders_of)
def test_an_order_counts_once_a_list_and_its_parts_add_up(key: str, touches: list[tuple], lines: list[tuple]) -> None:
    attribution = ATTRIBUTIONS[key]
    is_shared = attribution.name == "linear"
    rows = attributed(credited(*frames(touches, lines), attribution), ["label"], is_shared=is_shared)

    expected: dict[str, Fraction] = defaultdict(Fraction)
    lines_of: dict[int, list[dict[str, Fraction]]] = defaultdict(list)
    revenue: dict[str, Fraction] = defaultdict(Fraction)
    for line in lines:
        shares = by_definition(touches, line, attribution)
        if line[3] == "p" and shares:
            lines_of[line[6]].append(shares)
            for label, share in shares.items():
                revenue[label] += share * line[5]
    for of_order in lines_of.values():
        for label in {label for shares in of_order for label in shares}:
            part = sum(shares.get(label, Fraction(0)) for shares in of_order) / len(of_order)
            expected[label] += part if is_shared else 1
    found = {row["label"]: row for row in rows.iter_rows(named=True)}
    assert {label: pytest.approx(float(n)) for label, n in expected.items()} == {
        label: row["orders"] for label, row in found.items() if row["orders"]
    }
    assert {label: pytest.approx(float(n)) for label, n in revenue.items() if n} == {
        label: row["revenue"] for label, row in found.items() if row["revenue"]
    }


@given(st.lists(st.floats(0, 1e9, allow_nan=False), max_size=30))
def test_rounding_parts_keeps_their_sum(amounts: list[float]) -> None:
    frame = whole_minor(pl.DataFrame({"revenue": amounts}, schema={"revenue": pl.Float64}))
    assert frame.schema["revenue"] == pl.Int64
    assert abs(int(frame["revenue"].sum()) - sum(amounts)) <= 0.51
    assert all(abs(a - b) <= 1 for a, b in zip(frame["revenue"], amounts, strict=True))
