"""What merchandisers read: a rule as one sentence, its state, and what it did to an item."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.admin.wording import (
    FIELD_LABELS,
    differences,
    effect_words,
    filtered_words,
    rule_words,
    source_words,
    state_words,
)
from recommendations.core.actions import PagePrice, PinOrder, RuleAction
from recommendations.pipeline.eligibility import Filtered
from recommendations.pipeline.explanation import RuleEffect
from recommendations.pipeline.rules.base import RulePart, RuleSpec

DAY_MS = 86_400_000


def rule(action: str = "boost", **values: Any) -> RuleSpec:
    return RuleSpec(rule_id=1, name="Rule", action=RuleAction(action), **values)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (rule(strength=3.0), "Moves up every item, 3 times."),
        (rule("pin", items=("a",), position=2), "Pins item a to rank 2."),
        (rule("pin", items=tuple("abcde")), "Pins item a, b, c and 2 more from rank 1 on."),
        (rule("pin", tags=("new",), position=1), "Pins the newest 3 of tag new from rank 1 on."),
        (
            rule("pin", brands=("Loam",), price_to=20.0, pin_count=1, pin_order=PinOrder.CHEAPEST, position=2),
            "Pins the cheapest of brand Loam with price up to 20 to rank 2.",
        ),
        (rule("include_only", brands=("Loam",), tags=("sale",)), "Shows nothing but brand Loam or tag sale."),
        (
            rule("include_only", categories=("Shoes",), price_from=5.0, price_to=49.9, stock_from=3, condition="x > 1"),
            "Shows nothing but category Shoes with price 5 to 49.9 and stock from 3 and x > 1.",
        ),
        (
            rule(placements=("home",), shoppers="new", segments=("loyal",), context_condition='brand = "A"'),
            "Moves up every item, 2 times; in home; for new shoppers; for the segments loyal; "
            'on pages of items with brand = "A".',
        ),
        (
            rule(starts_at_ms=DAY_MS, ends_at_ms=2 * DAY_MS + 3_600_000),
            "Moves up every item, 2 times; from 2 Jan 1970 00:00 UTC; until 3 Jan 1970 01:00 UTC.",
        ),
    ],
)
def test_a_rule_reads_as_one_sentence(spec: RuleSpec, sentence: str) -> None:
    assert rule_words(spec) == sentence


@pytest.mark.parametrize(("now_ms", "state"), [(9, "scheduled"), (10, "published"), (19, "published"), (20, "ended")])
def test_the_state_of_a_published_rule_follows_its_times(now_ms: int, state: str) -> None:
    spec = rule(starts_at_ms=10, ends_at_ms=20)

    assert state_words(is_published=True, has_changes=False, spec=spec, now_ms=now_ms) == state
    assert state_words(is_published=True, has_changes=True, spec=spec, now_ms=now_ms) == f"{state}, with changes"
    assert state_words(is_published=False, has_changes=True, spec=spec, now_ms=now_ms) == "draft"


def test_what_a_rule_did_to_an_item_names_its_figure() -> None:
    moved = RuleEffect(rule_id=1, name="Rule", action="boost", factor=2.5)
    pinned = RuleEffect(rule_id=1, name="Rule", action="pin", position=3)

    assert effect_words(moved) == "moved up: counts 2.5 times"
    assert effect_words(pinned) == "pinned to rank 3"


def test_a_source_of_another_release_is_called_by_its_name_and_ours_are_not() -> None:
    assert source_words("two_towers") == "two towers"
    assert source_words("popular") == "popular in the shop"


def test_every_reason_to_filter_has_words_without_names_of_code() -> None:
    for reason in Filtered:
        assert filtered_words(reason.value)
        assert "_" not in filtered_words(reason.value)


def test_what_a_rule_says_otherwise_is_named_by_field_in_the_words_of_its_form() -> None:
    old = rule("boost", brands=("A", "B"), strength=2.0, price_to=9.5)
    new = rule("exclude", brands=("A",), strength=2.0, ends_at_ms=DAY_MS)

    said = [(change.field, change.old, change.new) for change in differences(old, new, ZoneInfo("Asia/Tokyo"))]

    assert said == [
        ("Action", "Move up", "Never show"), ("Brands", "A, B", "A"), ("Price to", "9.5", ""),
        ("Until", "", "2 Jan 1970 09:00 JST"),
    ]  # fmt: skip
    assert differences(old, old) == []


def test_every_field_of_a_rule_has_a_name_in_differences() -> None:
    assert set(FIELD_LABELS) == set(RuleSpec.__struct_fields__) - {"rule_id"}


def test_a_sentence_names_every_part_of_a_rule_whatever_it_has() -> None:
    words = st.lists(st.sampled_from(["Alpha", "Bravo", "Carol"]), min_size=1, max_size=3, unique=True).map(tuple)
    lists = ("brands", "tags", "replacements", "segments", "locales", "countries", "campaigns", "queries", "placements")

    @given(st.sampled_from(list(RuleAction)), st.fixed_dictionaries({}, optional=dict.fromkeys(lists, words)))
    def names_all(action: RuleAction, values: dict[str, tuple[str, ...]]) -> None:
        also = (RulePart(action=RuleAction.EXCLUDE, items=("NEVER-1",)), RulePart(action=RuleAction.LIMIT, at_most=7))
        spec = RuleSpec(
            rule_id=1, name="r", action=action, also=also, same=("brand", "attributes.colour"),
            page_price=PagePrice.WITHIN, page_price_percent=15.0, devices=("tablet",), pages=("cart", "/sale"),
            price_to=49.5, stock_from=3, condition="margin > 0.3", context_condition='category under "Z"',
            shoppers="new", starts_at_ms=DAY_MS, at_most=9, position=4, strength=3.5, **values,
        )  # fmt: skip
        said = rule_words(spec)

        for name, each in values.items():
            if name != "replacements" or action is RuleAction.REPLACE:
                assert all(word in said for word in each), (name, said)
        for part in (
            "the same brand and colour as the item of the page", "± 15 %", "tablet", "cart or /sale", "up to 49.5",
            "stock from 3", "margin > 0.3", 'category under "Z"', "new shoppers", "2 Jan 1970", "item NEVER-1",
            "never shows", "at most 7",
        ):  # fmt: skip
            assert part in said, (part, said)

    names_all()
