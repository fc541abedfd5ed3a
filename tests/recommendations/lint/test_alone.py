"""A rule that does nothing, touches very much, has ended or ends soon."""

from __future__ import annotations

from typing import Any

import pytest

from recommendations.lint.alone import EXPIRES_WITHIN_MS
from recommendations.lint.linter import lint
from tests.recommendations.lint.trying import ON, compiled, home
from tests.recommendations.worlds import NOW_MS

DAY_MS = 86_400_000


def said(**rule: Any) -> list[str]:
    specs = compiled([rule])
    return [each.problem.value for each in lint(specs, {"home": home(specs, "price < 12", 4)}, ON, now_ms=NOW_MS)]


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        ({"action": "pin", "items": ["sku0"], "position": 4}, []),
        ({"action": "pin", "items": ["sku0"], "position": 5}, ["dead"]),
        ({"action": "pin", "items": ["sku6"]}, ["dead"]),  # sold out
        ({"action": "pin", "items": ["sku12"]}, ["dead"]),  # the placement's condition
        ({"action": "exclude", "condition": "stock < 2"}, []),  # a guard that has nothing to do today
        ({"action": "exclude", "condition": "price > 900"}, ["dead"]),
        ({"action": "exclude", "items": ["sku6"]}, []),  # sold out today, never shown tomorrow
        ({"action": "boost", "strength": 1.0, "brands": ["alta"]}, ["dead"]),
        ({"action": "boost", "brands": ["alta"], "placements": ["elsewhere"]}, ["dead"]),
        ({"action": "boost", "condition": "price > 0"}, ["over_broad"]),
        ({"action": "boost", "brands": ["alta"]}, []),
        ({"action": "exclude", "price_from": 5.0}, ["over_broad"]),
        ({"action": "pin", "items": ["sku0", "sku1", "sku2", "sku3"]}, ["over_broad"]),
    ],
)
def test_a_rule_is_judged_by_what_it_does_to_the_items_of_now(rule: dict[str, Any], problems: list[str]) -> None:
    assert said(**rule) == problems


@pytest.mark.parametrize(
    ("starts", "ends", "problems"),
    [
        (None, NOW_MS, ["expired"]),
        (None, NOW_MS + 1, ["expiring"]),
        (None, NOW_MS + EXPIRES_WITHIN_MS, ["expiring"]),
        (None, NOW_MS + EXPIRES_WITHIN_MS + 1, []),
        (NOW_MS - DAY_MS, NOW_MS + DAY_MS, []),  # two days, as it was planned
        (NOW_MS - 30 * DAY_MS, NOW_MS + DAY_MS, ["expiring"]),
        (NOW_MS + 9 * DAY_MS, NOW_MS + 8 * DAY_MS, ["dead"]),
    ],
)
def test_a_rule_is_named_before_and_after_its_end(starts: int | None, ends: int, problems: list[str]) -> None:
    assert said(action="boost", brands=["alta"], starts_at_ms=starts, ends_at_ms=ends) == problems
