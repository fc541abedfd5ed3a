"""A list is said to be empty or short exactly when it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.core.types import RequestUser
from recommendations.lint.findings import Problem
from recommendations.lint.linter import lint
from tests.recommendations.lint.trying import CONDITIONS, ON, TARGETS, compiled, home
from tests.recommendations.worlds import NOW_MS, ids, item_index, served

_rules = st.lists(
    st.builds(
        lambda action, target, shoppers: {"action": action, "shoppers": shoppers, **target},
        st.sampled_from(["exclude", "include_only"]),
        TARGETS,
        st.sampled_from(["all", "new", "returning"]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(rules=_rules, condition=CONDITIONS)
def test_a_list_is_said_to_be_empty_or_short_exactly_when_it_is(rules: list[dict[str, Any]], condition: str) -> None:
    specs = compiled(rules)
    placement = home(specs, condition)
    users = {"new": RequestUser(), "returning": RequestUser(is_returning=True)}
    listed = {name: ids(ON, served(ON, placement, user=user, limit=placement.size)) for name, user in users.items()}

    findings = lint(specs, {"home": placement}, ON, now_ms=NOW_MS)

    problems = {each.problem for each in findings}
    is_empty = any(not items for items in listed.values())
    assert (Problem.EMPTYING in problems) is is_empty
    if not is_empty:
        assert (Problem.SHORT in problems) is any(len(items) < placement.size for items in listed.values())


def test_rules_are_looked_at_for_the_time_when_they_begin() -> None:
    rules = compiled(
        [
            {"action": "include_only", "brands": ["alta"]},
            {"action": "exclude", "condition": 'brand = "Alta"', "starts_at_ms": NOW_MS + 1_000},
        ]
    )

    findings = lint(rules, {"home": home(rules, "")}, ON, now_ms=NOW_MS)

    assert [(each.problem, set(each.rule_ids)) for each in findings if each.problem is Problem.EMPTYING] == [
        (Problem.EMPTYING, {1, 2})
    ]


def test_a_placement_that_is_empty_by_its_own_condition_is_named_without_a_rule() -> None:
    (finding,) = lint([], {"home": home([], "price > 500")}, ON, now_ms=NOW_MS)

    assert (finding.problem, finding.rule_ids, finding.placement) == (Problem.EMPTYING, (), "home")


def test_nobody_is_blamed_where_the_catalogue_has_nothing_to_show() -> None:
    rules = compiled([{"action": "exclude", "brands": ["alta"]}])
    gone = item_index({"is_active": False, "brand": "Alta"})

    assert lint(rules, {"home": home(rules, "")}, gone, now_ms=NOW_MS) == []
