"""What a set of rules does to rows and scores."""

from __future__ import annotations

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.pipeline.rules.base import ActiveRule, RuleSpec
from recommendations.pipeline.rules.registry import FILTERS, allowed, blamed, with_boosts
from recommendations.retrieval.base import listed


def rule(number: int, action: RuleAction, *rows: int, strength: float = 2.0) -> ActiveRule:
    mask = np.zeros(6, np.bool_)
    mask[list(rows)] = True
    return ActiveRule(spec=RuleSpec(rule_id=number, name="r", action=action, strength=strength), mask=mask)


RULES = [
    rule(1, RuleAction.INCLUDE_ONLY, 0, 1),
    rule(2, RuleAction.INCLUDE_ONLY, 2),
    rule(3, RuleAction.EXCLUDE, 1),
    rule(4, RuleAction.BOOST, 4, strength=3.0),
    rule(5, RuleAction.BURY, 4, 5),
    rule(6, RuleAction.PIN, 5),
]


FILTERING = [each for each in RULES if each.spec.action in FILTERS]


def test_rules_are_told_apart_by_what_they_touch() -> None:
    assert [each.spec.rule_id for each in FILTERING] == [1, 2, 3]


def test_includes_add_up_and_excludes_win() -> None:
    kept = allowed(FILTERING, lambda mask: mask)

    assert kept is not None
    assert kept.nonzero()[0].tolist() == [0, 2]
    assert allowed([], lambda mask: mask) is None


def test_the_rule_that_keeps_a_row_out_is_found() -> None:
    assert blamed([RULES[2]], 1) == 3
    assert blamed([RULES[2]], 0) is None


def test_scores_are_multiplied_and_divided_and_the_given_ones_stay() -> None:
    ranked = listed(np.array([3, 4, 5], np.int32), np.array([6.0, 6.0, 6.0], np.float32))

    found, used = with_boosts(ranked, RULES[3:5])

    assert found.scores.tolist() == [6.0, 9.0, 3.0]
    assert used == [4, 5]
    assert ranked.scores.tolist() == [6.0, 6.0, 6.0]


def test_rules_that_touch_no_candidate_change_nothing() -> None:
    ranked = listed(np.array([3], np.int32))

    assert with_boosts(ranked, RULES[3:5]) == (ranked, [])
