"""What is said of two rules agrees with the lists that they make."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.lint import together as module
from recommendations.lint.findings import Problem
from recommendations.lint.linter import lint
from recommendations.lint.prepared import prepare
from recommendations.pipeline.query import PlacementSpec
from tests.recommendations.lint.trying import CONDITIONS, ON, TARGETS, compiled, home
from tests.recommendations.worlds import NOW_MS, ids, served

_steering = st.lists(
    st.builds(
        lambda action, target, position: {"action": action, "position": position, "strength": 3.0, **target},
        st.sampled_from(["pin", "boost", "bury", "exclude", "include_only"]),
        TARGETS,
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(rules=_steering, condition=CONDITIONS)
def test_a_rule_that_is_said_to_do_nothing_changes_no_list(rules: list[dict[str, Any]], condition: str) -> None:
    specs = compiled(rules)
    placement = home(specs, condition, size=4)
    before = ids(ON, served(ON, placement, limit=4))

    findings = lint(specs, {"home": placement}, ON, now_ms=NOW_MS)

    for each in findings:
        if each.problem in (Problem.DEAD, Problem.SHADOWED):
            others = [rule for rule in specs if rule.spec.rule_id != each.rule_ids[0]]
            assert ids(ON, served(ON, home(others, condition, size=4), limit=4)) == before, each


PIN = {"action": "pin", "items": ["sku0"], "position": 2}


def said(*rules: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    specs = compiled(list(rules))
    return [
        (each.problem.value, each.rule_ids) for each in lint(specs, {"home": home(specs, "", 6)}, ON, now_ms=NOW_MS)
    ]


def test_pins_to_one_rank_contradict_each_other_unless_a_priority_decides() -> None:
    other = {**PIN, "items": ["sku1"]}

    assert said(PIN, other) == [("conflict", (2, 1))]
    assert said(PIN, {**other, "priority": 5}) == []
    assert said(PIN, {**other, "position": 3}) == []


def test_rules_for_other_users_or_times_do_not_meet() -> None:
    other = {**PIN, "items": ["sku1"]}

    assert said({**PIN, "shoppers": "new"}, {**other, "shoppers": "returning"}) == []
    assert said({**PIN, "segments": ["loyal"]}, {**other, "segments": ["lost", "new"]}) == []
    assert said({**PIN, "ends_at_ms": NOW_MS + 10**9}, {**other, "starts_at_ms": NOW_MS + 10**9}) == []


def test_an_exclusion_for_some_is_an_exception_to_a_pin_and_one_for_all_contradicts_it() -> None:
    exclude = {"action": "exclude", "items": ["sku0"]}

    assert said(PIN, {**exclude, "segments": ["lost"]}) == []
    assert said(PIN, exclude) == [("conflict", (1, 2))]


def test_a_small_exception_from_a_boost_is_no_contradiction_but_one_that_cancels_it_is() -> None:
    boost = {"action": "boost", "strength": 4.0, "brands": ["alta"]}

    assert said(boost, {"action": "bury", "strength": 10.0, "items": ["sku0"]}) == []
    assert said(boost, {"action": "bury", "strength": 4.0, "items": ["sku0"]}) == [("conflict", (2, 1))]
    assert said(boost, {"action": "bury", "strength": 9.0, "condition": 'brand = "ALTA"'}) == [("conflict", (2, 1))]


_scopes = st.fixed_dictionaries(
    {
        "segments": st.lists(st.sampled_from(["loyal", "lost"]), max_size=1),
        "shoppers": st.sampled_from(["all", "new", "returning"]),
        "starts_at_ms": st.sampled_from([None, NOW_MS, NOW_MS + 1_000]),
        "ends_at_ms": st.sampled_from([None, NOW_MS + 1_000, NOW_MS + 2_000]),
        "placements": st.lists(st.sampled_from(["home", "cart"]), unique=True),
    }
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(_steering, st.lists(_scopes, min_size=4, max_size=4))
def test_pairs_that_are_passed_over_have_nothing_to_be_said_of(rules: list[Any], scopes: list[Any]) -> None:
    placements = {name: PlacementSpec(name=name, size=6) for name in ("home", "cart")}
    specs = compiled([{**rule, **scope} for rule, scope in zip(rules, scopes, strict=False)])
    prepared = prepare(specs, placements, ON)
    others = [rule for rule in prepared if rule.is_pin or rule.spec.action == "include_only"]

    of_all = [
        found
        for first, second in combinations(prepared, 2)
        if first.meets(second) and (found := next(module._between(first, second, placements, others), None)) is not None
    ]

    assert list(module.together(prepared, placements)) == of_all


def test_more_placements_than_bits_are_told_apart() -> None:
    placements = {f"p{number}": PlacementSpec(name=f"p{number}", size=6) for number in range(90)}
    specs = compiled([{**PIN, "placements": [name]} for name in placements])

    assert list(module.together(prepare(specs, placements, ON), placements)) == []
