"""An explanation says what each step saw and did, and only a query that explains gets one."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.core.types import RequestUser
from recommendations.pipeline.explanation import Explanation
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from tests.recommendations.worlds import item_index, served

ON = item_index(*[{"category": "Shoes", "stock": 0 if number == 4 else None} for number in range(8)])
RULES = (
    RuleSpec(rule_id=1, name="up", action=RuleAction.BOOST, strength=3.0, items=("sku2",)),
    RuleSpec(rule_id=2, name="never", action=RuleAction.EXCLUDE, items=("sku3",)),
    RuleSpec(rule_id=3, name="first", action=RuleAction.PIN, items=("sku6",)),
)
USER = RequestUser(recents=("sku0",), session=("sku0",), segments=frozenset({"loyal"}))


def explained() -> Explanation:
    placement = PlacementSpec(name="home", rules=tuple(map(compile_rule, RULES)))
    result = served(ON, placement, user=USER, limit=3, explains=True)
    assert result.explanation is not None
    return result.explanation


def test_an_explanation_names_subject_sources_rules_and_what_was_kept_out() -> None:
    found = explained()

    assert [found.placement, found.about_items, found.segments] == ["home", ["sku0"], ["loyal"]]
    assert [rule.name for rule in found.active_rules] == ["up", "never", "first"]
    assert {why.item_id: why.reason for why in found.filtered} == {"sku3": "rule"}
    assert found.failed_step is None
    assert found.runners_up
    assert all(why.position is None for why in found.runners_up)


def test_each_item_says_which_rules_touched_it() -> None:
    by_id = {why.item_id: why for why in explained().items}

    assert [why.position for why in by_id.values()] == [0, 1, 2]
    assert [(rule.action, rule.position) for rule in by_id["sku6"].rules] == [("pin", 1)]
    assert [(rule.action, rule.factor) for rule in by_id["sku2"].rules] == [("boost", 3.0)]
    assert by_id["sku6"].reason == "pinned"
    assert by_id["sku2"].sources[0].source == "content"
    assert by_id["sku2"].sources[0].weight > 0


def test_without_being_wanted_there_is_none() -> None:
    assert served(ON, PlacementSpec(name="home"), user=USER).explanation is None
