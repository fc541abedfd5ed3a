"""What was bought, by day and week: the windows of RFM. Orders themselves are tested in ``orders/``."""

from __future__ import annotations

import pytest

from features.definitions import DAY_MS
from features.state import purchases
from features.state.states import ProfileState, encode
from tests.features.making import NOW_MS
from tracking.contract.events import EventItem
from tracking.contract.mending.currencies import CURRENCIES


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [(12.99, "EUR", 1_299), (6_000.0, "JPY", 6_000), (1.25, "KWD", 1_250), (1.015, "EUR", 102), (0.1 + 0.2, "EUR", 30)],
)
def test_amounts_are_minor_units_of_their_own_currency(value: float, currency: str, minor: int) -> None:
    assert purchases.value_of((), value, currency) == minor
    assert purchases.line_value(EventItem(item_id="a", price=value), currency) == minor


def test_an_order_without_a_value_is_worth_its_lines() -> None:
    lines = [
        EventItem(item_id="a", price=19.99, quantity=3),
        EventItem(item_id="b", price=0.005),
        EventItem(item_id="c"),
    ]
    assert purchases.value_of(lines, None, "EUR") == 5_997
    assert purchases.value_of(lines, 50.0, "EUR") == 5_000


def test_money_that_cannot_be_converted_stands_apart_only_while_there_is_some() -> None:
    profile = ProfileState()
    purchases.add_apart(profile, "JPY", orders=1, value=6_000, refunded=0)
    purchases.add_apart(profile, "JPY", orders=1, value=500, refunded=500)
    assert profile.apart == {"JPY": [2, 6_500, 500]}
    purchases.add_apart(profile, "JPY", orders=-2, value=-6_500, refunded=-500)
    assert profile.apart == {}


def test_a_profile_tells_a_bounded_number_of_currencies_apart() -> None:
    profile = ProfileState()
    codes = sorted(CURRENCIES)[:40]
    for code in codes:
        purchases.add_apart(profile, code, orders=1, value=10**14, refunded=10**14)
    assert len(profile.apart) == purchases.KEEP_APART + 1
    assert sum(sums[0] for sums in profile.apart.values()) == 40
    assert len(encode(profile)) < 600


def test_windows_are_exact_to_the_day_and_then_to_the_week() -> None:
    profile = ProfileState()
    for age in range(0, 400, 5):
        at_ms = NOW_MS - age * DAY_MS
        purchases.add_to_day(profile, at_ms=at_ms, orders=1, revenue=10)

    sums = [purchases.window_sums([profile.days], now_ms=NOW_MS, window_days=days) for days in (30, 90, 365)]

    assert sums[:2] == [(6, 60), (18, 180)]
    assert 73 <= sums[2][0] <= 75  # 365 days, and what else is in their oldest week
    assert len(profile.days) <= 139


def test_what_is_taken_back_leaves_nothing_wherever_it_stands_by_then() -> None:
    profile = ProfileState()
    ages = (0, 40, 120, 300)
    for age in ages:
        purchases.add_to_day(profile, at_ms=NOW_MS - age * DAY_MS, orders=1, revenue=10)
    for age in ages:
        purchases.add_to_day(profile, at_ms=NOW_MS - age * DAY_MS, orders=-1, revenue=-10)

    assert profile.days == {}


def test_the_last_purchase_is_the_newest_order_though_it_turns_out_to_be_older() -> None:
    profile = ProfileState()
    purchases.note_newest(profile, 1, at_ms=NOW_MS)
    purchases.note_newest(profile, 2, at_ms=NOW_MS + 9)
    purchases.note_newest(profile, 2, at_ms=NOW_MS - 9)

    assert profile.last_purchase_ms == NOW_MS
