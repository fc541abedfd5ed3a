"""Purchases and refunds: a transaction counts once, and refunds find it whichever arrives first."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from features.definitions import DAY_MS
from features.state import purchases
from features.state.states import ProfileState
from tests.features.making import NOW_MS

TODAY = NOW_MS // DAY_MS
STEPS: list[dict[str, Any]] = [
    {"transaction": 7, "units": 2, "revenue": 500},
    {"transaction": 7, "units": 1, "revenue": 250},  # the rest of the same transaction
    {"transaction": 7, "amount": None},
    {"transaction": 8, "units": 1, "revenue": 100},
]


def test_amounts_have_two_decimals_whatever_the_currency() -> None:
    assert [purchases.minor_units(value) for value in (12.99, 0.1 + 0.2, 500)] == [1_299, 30, 50_000]


@pytest.mark.parametrize("order", list(permutations(range(len(STEPS)))))
def test_parts_and_a_refund_mean_the_same_in_any_order(order: tuple[int, ...]) -> None:
    profile = ProfileState()
    for number in order:
        step = STEPS[number]
        (purchases.add_refund if "amount" in step else purchases.add_purchase)(profile, at_ms=NOW_MS, **step)

    assert (profile.orders, profile.units, profile.revenue) == (2, 4, 850)
    assert (profile.refunds, profile.refunded) == (1, 750)
    assert profile.days == {TODAY: [2, 100]}


def test_windows_are_exact_to_the_day_and_then_to_the_week() -> None:
    profile = ProfileState()
    for age in range(0, 400, 5):
        at_ms = NOW_MS - age * DAY_MS
        purchases.add_purchase(profile, at_ms=at_ms, transaction=age + 1, units=1, revenue=10)

    sums = [purchases.window_sums([profile.days], now_ms=NOW_MS, window_days=days) for days in (30, 90, 365)]

    assert sums[:2] == [(6, 60), (18, 180)]
    assert 73 <= sums[2][0] <= 75  # 365 days, and what else is in their oldest week
    assert len(profile.days) <= 139
