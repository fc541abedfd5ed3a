"""What merchandisers' rules do to a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.types import RequestUser
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import Pin, RuleSpec, applies, compile_rule
from recommendations.pipeline.rules.pin import with_pins
from tests.recommendations.worlds import NOW_MS, ids, item_index, served

ON = item_index(*[{"brand": "Alta" if number % 2 else "Brio", "category": "Shoes"} for number in range(20)])


def home(*specs: dict[str, Any], **placement: Any) -> PlacementSpec:
    rules = [
        compile_rule(RuleSpec(rule_id=number, name=f"rule {number}", **spec))
        for number, spec in enumerate(specs, start=1)
    ]
    rules.sort(key=lambda rule: (-rule.spec.priority, rule.spec.rule_id))
    return PlacementSpec(name="home", strategy=placement.pop("strategy", "new"), rules=tuple(rules), **placement)


def listed(*specs: dict[str, Any], limit: int = 6, **query: Any) -> list[str]:
    return ids(ON, served(ON, home(*specs), limit=limit, **query))


def test_without_rules_the_newest_come_first() -> None:
    assert listed() == [f"sku{number}" for number in range(6)]


def test_an_excluded_item_never_shows_and_others_fill_its_place() -> None:
    assert listed({"action": "exclude", "items": ("sku0", "sku2")}) == ["sku1", "sku3", "sku4", "sku5", "sku6", "sku7"]


def test_include_only_leaves_nothing_else_even_when_fewer_items_match() -> None:
    assert listed({"action": "include_only", "items": ("sku3", "sku9")}) == ["sku3", "sku9"]


def test_exclude_wins_over_include_only() -> None:
    rules = (
        {"action": "include_only", "items": ("sku3", "sku9"), "priority": 10},
        {"action": "exclude", "items": ("sku3",), "priority": -10},
    )

    assert listed(*rules) == ["sku9"]


def test_a_boost_moves_up_and_a_bury_moves_down() -> None:
    boosted = listed({"action": "boost", "strength": 50.0, "brands": ("alta",)})
    buried = listed({"action": "bury", "strength": 50.0, "brands": ("alta",)})

    assert boosted == ["sku1", "sku3", "sku5", "sku7", "sku9", "sku11"]
    assert buried == ["sku0", "sku2", "sku4", "sku6", "sku8", "sku10"]


def test_pins_take_their_places_and_the_rest_keeps_its_order() -> None:
    assert listed({"action": "pin", "position": 2, "items": ("sku15", "sku16")}) == [
        "sku0", "sku15", "sku16", "sku1", "sku2", "sku3",
    ]  # fmt: skip


def test_two_pins_of_one_place_go_to_the_higher_priority_first() -> None:
    rules = (
        {"action": "pin", "position": 1, "items": ("sku10",)},
        {"action": "pin", "position": 1, "items": ("sku11",), "priority": 5},
    )

    assert listed(*rules)[:2] == ["sku11", "sku10"]


def test_what_is_sold_out_or_excluded_is_not_pinned() -> None:
    on = item_index({}, {"availability": "out_of_stock"}, {}, {})
    rules = ({"action": "pin", "items": ("sku1", "sku2", "sku3")}, {"action": "exclude", "items": ("sku2",)})

    assert ids(on, served(on, home(*rules), limit=3)) == ["sku3", "sku0"]


def test_limits_of_price_stock_and_tags_say_which_items_match() -> None:
    on = item_index({"tags": ["sale"]}, {"price_minor": 9000}, {"stock": 2}, {})

    def left(**target: Any) -> list[str]:
        return ids(on, served(on, home({"action": "exclude", **target})))

    assert left(tags=("SALE",)) == ["sku1", "sku2", "sku3"]
    assert left(price_from=50.0) == ["sku0", "sku2", "sku3"]
    assert left(stock_to=5) == ["sku0", "sku1", "sku3"]
    assert left(condition="price > 50 or stock = 2") == ["sku0", "sku3"]
    assert left(tags=("sale",), price_from=50.0) == ["sku0", "sku1", "sku2", "sku3"]  # both must hold


@pytest.mark.parametrize(
    ("spec", "user", "does"),
    [
        ({"starts_at_ms": NOW_MS + 1}, RequestUser(), False),
        ({"starts_at_ms": NOW_MS}, RequestUser(), True),
        ({"ends_at_ms": NOW_MS}, RequestUser(), False),
        ({"ends_at_ms": NOW_MS + 1}, RequestUser(), True),
        ({"shoppers": "new"}, RequestUser(is_returning=True), False),
        ({"shoppers": "new"}, RequestUser(), True),
        ({"shoppers": "returning"}, RequestUser(), False),
        ({"segments": ("champions",)}, RequestUser(segments=frozenset({"champions"})), True),
        ({"segments": ("champions",)}, RequestUser(segments=frozenset({"lost"})), False),
        ({"segments": ("champions",)}, RequestUser(), False),
    ],
)
def test_a_rule_applies_by_time_and_user(spec: dict[str, Any], user: RequestUser, does: bool) -> None:
    assert applies(RuleSpec(rule_id=1, name="r", action="exclude", **spec), user=user, now_ms=NOW_MS) is does


def test_a_rule_for_pages_of_a_category_applies_on_those_only() -> None:
    on = item_index({"category": "Cameras"}, {"category": "Hats"}, {"category": "Hats"}, {"category": "Hats"})
    rule = {"action": "exclude", "items": ("sku2",), "context_condition": 'category under "Cameras"'}

    def left(context: str) -> list[str]:
        return ids(on, served(on, home(rule, strategy="new"), context_items=(context,)))

    assert "sku2" not in left("sku0")
    assert "sku2" in left("sku1")
    assert "sku2" in ids(on, served(on, home(rule)))


@given(
    st.lists(st.integers(0, 30), unique=True, max_size=24),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 11)), max_size=6, unique_by=(lambda p: p[0], lambda p: p[1])),
)
def test_pins_never_repeat_an_item_nor_disturb_the_order_of_others(rows: list[int], wanted: list[Any]) -> None:
    pins = [Pin(row=row, position=position, rule_id=1) for row, position in sorted(wanted, key=lambda pair: pair[1])]

    listed_rows = with_pins(rows, pins, product_of=np.arange(31, dtype=np.int32), size=12)

    assert len(set(listed_rows)) == len(listed_rows) <= 12
    pinned = {pin.row for pin in pins}
    others = [row for row in listed_rows if row not in pinned]
    assert others == [row for row in rows if row not in pinned][: len(others)]
    if len([row for row in rows if row not in pinned]) >= 12:  # else there is nothing to stand before a late pin
        assert all(listed_rows[pin.position] == pin.row for pin in pins)


@pytest.mark.slow
@given(st.sets(st.integers(0, 19), max_size=8), st.floats(1.0, 100.0))
def test_no_rule_ever_makes_a_list_repeat_itself_or_grow(items: set[int], strength: float) -> None:
    named = tuple(f"sku{number}" for number in sorted(items))
    shown = listed(
        {"action": "boost", "strength": strength, "items": named},
        {"action": "pin", "items": named},
        {"action": "bury", "brands": ("Brio",), "strength": strength},
        limit=7,
    )

    assert len(shown) == len(set(shown)) == 7
    assert np.array_equal(shown[: len(items)], [f"sku{number}" for number in sorted(items)][:7])
