"""Placements and rules that cannot mean anything are refused by the name of the field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from recommendations.models import Placement, Rule
from recommendations.models.merchandising import validate_condition, validate_words

START = datetime(2026, 1, 1, tzinfo=UTC)


def refused(instance: Placement | Rule) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        instance.clean()
    error = caught.value
    return error.message_dict if hasattr(error, "error_dict") else {"__all__": error.messages}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"price_from": 9.0, "price_to": 5.0}, "price_to"),
        ({"starts_at": START, "ends_at": START}, "ends_at"),
        ({"action": "pin"}, "items"),
        ({"action": "exclude"}, "__all__"),
        ({"action": "include_only"}, "__all__"),
    ],
)
def test_a_rule_that_cannot_mean_anything_is_refused(values: dict[str, Any], field: str) -> None:
    assert list(refused(Rule(name="Rule", **values))) == [field]


@pytest.mark.parametrize(
    "values",
    [
        {"price_from": 5.0, "price_to": 5.0},
        {"starts_at": START, "ends_at": START + timedelta(seconds=1)},
        {"action": "pin", "items": ["sku1"]},
        {"action": "exclude", "price_to": 0.0},  # a limit of zero is a target
        {"action": "exclude", "stock_to": 0},
        {"action": "boost"},
    ],
)
def test_a_rule_that_can_is_taken(values: dict[str, Any]) -> None:
    Rule(name="Rule", **values).clean()


def test_strategies_by_segment_are_pairs_of_known_ones() -> None:
    Placement(name="home", segment_strategies={"champions": "buy_again"}).clean()

    unknown = refused(Placement(name="home", segment_strategies={"champions": "magic"}))
    assert unknown["segment_strategies"][0].startswith("'magic' is not one of ")
    assert "pairs" in refused(Placement(name="home", segment_strategies=["buy_again"]))["segment_strategies"][0]


def test_lists_are_of_texts_of_bounded_length_and_number() -> None:
    validate_words(["a", "b" * 500])

    for value in ("a", [1], [""], ["b" * 501], {"a": 1}):
        with pytest.raises(ValidationError, match="at most 500 characters"):
            validate_words(value)
    with pytest.raises(ValidationError, match="5001 entries are too many"):
        validate_words(["a"] * 5001)


def test_a_condition_outside_of_the_language_is_refused_with_the_reason() -> None:
    validate_condition('price < 50 and brand = "Loam"')

    with pytest.raises(ValidationError, match=r"The condition .*a value"):
        validate_condition("price <")
