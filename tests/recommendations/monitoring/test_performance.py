"""Performance of lists: grouped, and added up by day."""

from __future__ import annotations

from typing import Any

from features.store.placement_stats import PlacementStats
from recommendations.monitoring.performance import daily, grouped, total


def row(**changes: Any) -> PlacementStats:
    values: dict[str, Any] = {
        "day": 100, "placement": "home", "variant": "live", "model_version": "v1", "rules": "", "lists": 1,
        "impressions": 10, "clicks": 2, "carts": 1, "orders": 1, "units": 1, "revenue": 2_550, **changes,
    }  # fmt: skip
    return PlacementStats(**values)


def test_groups_come_best_first_and_named_ones_come_even_without_figures() -> None:
    rows = [row(), row(placement="cart", revenue=9_900), row(day=101)]

    found = grouped(rows, "placement", names=["home", "unseen"])

    assert [(one.name, one.revenue) for one in found] == [("cart", 99.0), ("home", 51.0), ("unseen", 0.0)]
    assert [one.click_rate for one in found] == [20.0, 20.0, None]
    assert found[0].revenue_per_thousand == 9_900.0


def test_a_list_that_two_rules_touched_counts_for_each() -> None:
    found = grouped([row(rules="3,11"), row(rules="3"), row()], "rule")

    assert {one.name: one.clicks for one in found} == {"3": 4, "11": 2, "": 2}


def test_days_without_figures_stand_in_the_span() -> None:
    rows = [row(day=100), row(day=102), row(day=102)]

    assert [one.lists for one in daily(rows, first=99, last=102).values()] == [0, 1, 0, 2]
    assert total(rows).revenue_minor == 7_650


def test_revenue_has_the_decimals_of_its_currency_and_other_currencies_stand_apart() -> None:
    rows = [row(revenue=6_000, apart={"USD": 1_250}), row(revenue=500, apart={"USD": 50, "KWD": 1_250})]

    whole = total(rows, currency="JPY")

    assert (whole.revenue, whole.revenue_text) == (6_500.0, "6,500")
    assert whole.apart_texts == ["KWD 1.250", "USD 13.00"]
