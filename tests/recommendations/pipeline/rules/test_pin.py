"""Pins: which item takes which position, and how the others make room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommendations.core.actions import PinOrder, RuleAction
from recommendations.core.types import Mask, RowArray
from recommendations.filters import language
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import ActiveRule, Pin, RuleSpec, compile_rule
from recommendations.pipeline.rules.pin import pins_of, with_pins
from tests.recommendations.worlds import item_index, served

SHOP = item_index(n=10)
ITSELF = SHOP.products.of_row


def pinning(rule_id: int, position: int, *items: str) -> ActiveRule:
    spec = RuleSpec(rule_id=rule_id, name="pin", action=RuleAction.PIN, position=position, items=items)
    return ActiveRule(spec=spec, mask=np.zeros(SHOP.n_rows, np.bool_))


def placed(*rules: ActiveRule, size: int = 8, hidden: tuple[int, ...] = ()) -> dict[int, tuple[int, int]]:
    """Return item number and rule by position."""

    def may_show(rows: RowArray) -> Mask:
        return ~np.isin(rows, SHOP.rows(f"sku{number}" for number in hidden))

    pins = pins_of(rules, SHOP, may_show, size=size)
    assert [pin.position for pin in pins] == sorted(pin.position for pin in pins)
    return {pin.position: (int(SHOP.item_id(pin.row).removeprefix("sku")), pin.rule_id) for pin in pins}


def test_items_of_a_pin_follow_each_other_from_its_rank_on() -> None:
    assert placed(pinning(1, 2, "sku5", "sku3")) == {1: (5, 1), 2: (3, 1)}


def test_a_taken_position_passes_a_later_rule_on_to_the_next_free_one() -> None:
    assert placed(pinning(1, 2, "sku5"), pinning(2, 1, "sku1", "sku2")) == {0: (1, 2), 1: (5, 1), 2: (2, 2)}


def test_an_item_is_pinned_once_by_the_first_rule() -> None:
    assert placed(pinning(1, 3, "sku5"), pinning(2, 1, "sku5", "sku6")) == {2: (5, 1), 0: (6, 2)}


def test_what_may_not_be_shown_leaves_its_position_to_the_next_item() -> None:
    assert placed(pinning(1, 1, "sku5", "sku6"), hidden=(5,)) == {0: (6, 1)}


def test_pins_beyond_the_list_are_dropped() -> None:
    assert placed(pinning(1, 2, "sku1", "sku2", "sku3"), size=3) == {1: (1, 1), 2: (2, 1)}


def test_of_very_many_pins_those_of_the_highest_priority_are_placed() -> None:
    rules = [pinning(number, number % 8 + 1, f"sku{number % 10}") for number in range(1, 200)]

    assert placed(*rules) == placed(*rules[:10])
    assert len(placed(*rules, size=4)) == 4


def test_the_others_keep_their_order_around_the_pins() -> None:
    pins = [Pin(row=9, position=1, rule_id=1), Pin(row=3, position=2, rule_id=1)]

    assert with_pins([1, 2, 3, 4], pins, product_of=ITSELF, size=8) == [1, 9, 3, 2, 4]
    assert with_pins([1, 2, 3, 4], pins, product_of=ITSELF, size=3) == [1, 9, 3]
    late = [Pin(row=9, position=5, rule_id=1)]
    assert with_pins([], late, product_of=ITSELF, size=8) == [9], "a short list has no gaps"


def test_another_variant_of_what_is_pinned_makes_room_for_it() -> None:
    product_of = np.array([0, 1, 1, 3, 1], np.int32)

    assert with_pins([2, 0, 3], [Pin(row=4, position=1, rule_id=1)], product_of=product_of, size=8) == [0, 4, 3]


MIXED = item_index(
    {"tags": ["new"], "price_minor": 900}, {"tags": ["new"], "price_minor": 100}, {},
    {"tags": ["new"], "price_minor": None},
    {"tags": ["new"], "price_minor": 500, "group_id": "tee"}, {"tags": ["new"], "price_minor": 400, "group_id": "tee"},
    {"tags": ["new"], "stock": 0}, {},
)  # fmt: skip
"""Items from the newest to the oldest, which is the order of their popularity, too."""


def pinned_by(order: str, count: int = 3, **placement: Any) -> list[str]:
    spec = RuleSpec(
        rule_id=1,
        name="pin",
        action=RuleAction.PIN,
        tags=("new",),
        pin_order=PinOrder(order),
        pin_count=count,
        position=2,
    )
    rules = (compile_rule(spec),)
    home = PlacementSpec(name="home", strategy="new", rules=rules, **placement)
    listed = served(MIXED, home, limit=6)
    return [MIXED.item_id(row) for row in listed.rows][1 : 1 + count]


@pytest.mark.parametrize(
    ("order", "items"),
    [
        ("newest", ["sku0", "sku1", "sku3"]),
        ("popular", ["sku0", "sku1", "sku3"]),
        ("cheapest", ["sku1", "sku5", "sku0"]),  # one of the two tees
        ("dearest", ["sku0", "sku4", "sku1"]),
    ],
)
def test_a_pin_of_what_matches_takes_the_first_in_its_order_that_can_be_shown(order: str, items: list[str]) -> None:
    assert pinned_by(order) == items


def test_a_pin_of_what_matches_goes_on_to_the_next_where_one_may_not_be_shown() -> None:
    condition = language.parse('not item_id = "sku1"')

    assert pinned_by("newest", condition=condition, filter='not item_id = "sku1"') == ["sku0", "sku3", "sku4"]


def test_items_without_a_price_come_last_in_orders_of_price() -> None:
    assert [pinned_by(order, 4)[-1] for order in ("cheapest", "dearest")] == ["sku3", "sku3"]
