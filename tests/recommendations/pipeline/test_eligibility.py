"""What the filter lets through, and the reason that it gives for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommendations.core.actions import RuleAction
from recommendations.core.types import RequestUser
from recommendations.filters import language
from recommendations.items.index import ItemIndex
from recommendations.pipeline.eligibility import Eligibility, Filtered
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.rules.applying import Rules
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from tests.recommendations.worlds import NOW_MS, item_index

ON = item_index({}, {"stock": 0}, {"price_minor": 9_000}, {}, {}, {})
ALL = np.arange(6, dtype=np.int32)
EXCLUDE = {"action": RuleAction.EXCLUDE, "items": ("sku3",)}
INCLUDE = {"action": RuleAction.INCLUDE_ONLY, "items": ("sku0", "sku3")}


def eligibility(*rules: dict[str, Any], hidden: set[int] | None = None, on: ItemIndex = ON) -> Eligibility:
    text = "price < 50"
    compiled = [compile_rule(RuleSpec(rule_id=n, name="r", **rule)) for n, rule in enumerate(rules, start=1)]
    query = ListQuery(placement=PlacementSpec(name="p"), limit=4, filter=text, condition=language.parse(text))
    active = Rules(compiled).active(RequestUser(), on, page_row=None, now_ms=NOW_MS)
    return Eligibility(query, on, active, hidden=hidden or set())


def test_what_is_sold_out_does_not_match_or_is_hidden_is_kept_out() -> None:
    found = eligibility(hidden={5})

    assert ALL[found.of(ALL)].tolist() == [0, 3, 4]
    assert [found.why_not(row) for row in (0, 1, 2, 5)] == [
        None, (Filtered.NOT_RECOMMENDABLE, None), (Filtered.CONDITION, None), (Filtered.REPEAT, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "kept", "blamed"),
    [
        ([EXCLUDE], [0, 4, 5], {3: 1}),
        ([INCLUDE], [0, 3], {4: 1, 5: 1}),
        ([INCLUDE, EXCLUDE], [0], {3: 2, 4: 1}),
    ],
)
def test_a_rule_that_keeps_an_item_out_is_named(
    rules: list[dict[str, Any]], kept: list[int], blamed: dict[int, int]
) -> None:
    found = eligibility(*rules)

    assert ALL[found.of(ALL)].tolist() == kept
    assert {row: found.why_not(row) for row in blamed} == {row: (Filtered.RULE, n) for row, n in blamed.items()}


@pytest.mark.parametrize("rules", [[], [EXCLUDE], [INCLUDE], [INCLUDE, EXCLUDE]])
def test_a_few_rows_and_many_are_judged_alike(rules: list[dict[str, Any]]) -> None:
    found = eligibility(*rules, hidden={0})

    one_by_one = [row for row in ALL.tolist() if found.keep(np.array([row], np.int32)).tolist()]

    assert one_by_one == found.keep(ALL).tolist() == [row for row in ALL.tolist() if found.why_not(row) is None]


def test_popular_items_are_found_beyond_the_first_ones() -> None:
    on = item_index(*[{"price_minor": 9_000 if number < 3_000 else 1_000} for number in range(3_010)])

    assert eligibility(on=on).popular(3).tolist() == [3_000, 3_001, 3_002]
    assert eligibility({"action": RuleAction.EXCLUDE, "items": ("sku3001",)}, on=on).popular(3).tolist() == [
        3_000, 3_002, 3_003,
    ]  # fmt: skip


SIZES = item_index(
    {"group_id": "tee"}, {"group_id": "tee", "stock": 0}, {"group_id": "tee"}, {}, {"group_id": "cup", "stock": 0},
)  # fmt: skip


def rows(*numbers: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def test_what_hides_an_item_hides_the_variants_of_its_product() -> None:
    found = eligibility(hidden={1}, on=SIZES)

    assert found.of(rows(0, 1, 2, 3)).tolist() == [False, False, False, True]
    assert found.why_not(2) == (Filtered.REPEAT, None)


def test_the_most_popular_variant_that_may_be_shown_stands_in_for_one_that_may_not() -> None:
    found, kept = eligibility(on=SIZES).with_variants(rows(1, 3, 4))

    assert found[kept].tolist() == [0, 3], "of the cup no variant is left"


def test_nothing_stands_in_for_a_product_of_which_a_variant_is_there_already() -> None:
    found, kept = eligibility(on=SIZES).with_variants(rows(1, 2, 3))

    assert found[kept].tolist() == [2, 3]
    assert eligibility(hidden={0}, on=SIZES).with_variants(rows(1, 3))[1].tolist() == [False, True]


def test_popular_items_are_of_different_products() -> None:
    assert eligibility(on=SIZES).popular(5).tolist() == [0, 3]
