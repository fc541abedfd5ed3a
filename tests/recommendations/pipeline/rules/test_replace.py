"""What stands in a list instead of another item."""

from __future__ import annotations

from tests.recommendations.pipeline.rules.test_base import home, listed
from tests.recommendations.worlds import ids, item_index, served

SUCCESSOR = {"action": "replace", "items": ("sku1",), "replacements": ("sku15", "sku16")}


def test_the_first_replacement_takes_the_place() -> None:
    assert listed(SUCCESSOR) == ["sku0", "sku15", "sku2", "sku3", "sku4", "sku5"]


def test_one_that_is_listed_sold_out_or_excluded_is_passed_over() -> None:
    assert listed({**SUCCESSOR, "replacements": ("sku2", "sku16")})[1] == "sku16"
    assert listed(SUCCESSOR, {"action": "exclude", "items": ("sku15",)})[1] == "sku16"
    on = item_index({}, {}, {"availability": "out_of_stock"}, {}, {}, {})
    rule = {"action": "replace", "items": ("sku0",), "replacements": ("sku2", "sku5")}
    assert ids(on, served(on, home(rule), limit=2)) == ["sku5", "sku1"]


def test_without_one_that_can_be_shown_the_item_stays() -> None:
    assert listed({**SUCCESSOR, "replacements": ("gone",)})[1] == "sku1"


def test_given_candidates_are_not_added_to() -> None:
    assert listed(SUCCESSOR, candidates=("sku1", "sku2"), limit=2) == ["sku1", "sku2"]
