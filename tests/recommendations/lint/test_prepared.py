"""Which lists two rules have in common."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.types import RequestUser
from recommendations.lint.prepared import prepare
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import applies
from tests.recommendations.lint.trying import ON, compiled
from tests.recommendations.worlds import NOW_MS

PLACEMENTS = ("home", "cart")
SEGMENTS = ("loyal", "lost")
MOMENTS = [NOW_MS + number for number in range(5)]
_times = st.none() | st.sampled_from(MOMENTS)
_scopes = st.fixed_dictionaries(
    {
        "placements": st.lists(st.sampled_from(PLACEMENTS), unique=True),
        "segments": st.lists(st.sampled_from(SEGMENTS), unique=True),
        "shoppers": st.sampled_from(["all", "new", "returning"]),
        "starts_at_ms": _times,
        "ends_at_ms": _times,
    }
)
LISTS = [
    (name, RequestUser(is_returning=is_returning, segments=frozenset({segment} if segment else ())), moment)
    for name, is_returning, segment, moment in product(PLACEMENTS, (False, True), (None, *SEGMENTS), MOMENTS)
]


def touched(rule: Any) -> set[int]:
    return {
        number
        for number, (name, user, moment) in enumerate(LISTS)
        if name in rule.placements and applies(rule.spec, user=user, now_ms=moment)
    }


@pytest.mark.slow
@given(_scopes, _scopes)
def test_rules_meet_where_some_list_is_touched_by_both_and_one_covers_what_it_touches(first: Any, second: Any) -> None:
    rules = prepare(
        compiled([{"action": "boost", "brands": ["alta"], **scope} for scope in (first, second)]),
        {name: PlacementSpec(name=name) for name in PLACEMENTS},
        ON,
    )
    one, other = sorted(rules, key=lambda rule: rule.spec.rule_id)

    if touched(one) & touched(other):
        assert one.meets(other)
        assert other.meets(one)
    if one.covers(other):
        assert touched(other) <= touched(one)


def test_rules_come_by_priority_and_then_by_age() -> None:
    specs = compiled([{"action": "boost", "brands": ["alta"], "priority": priority} for priority in (0, 5, 0, -1)])

    assert [rule.spec.rule_id for rule in prepare(specs, {}, ON)] == [2, 1, 3, 4]
