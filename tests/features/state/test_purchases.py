"""What was bought, by day and week: the windows of RFM. Orders themselves are tested in ``orders/``."""

from __future__ import annotations

from features.definitions import DAY_MS
from features.state import purchases
from features.state.states import ProfileState
from tests.features.making import NOW_MS


def test_amounts_have_two_decimals_whatever_the_currency() -> None:
    assert [purchases.minor_units(value) for value in (12.99, 0.1 + 0.2, 500)] == [1_299, 30, 50_000]


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
