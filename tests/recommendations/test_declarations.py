"""Strategies, sources, reasons, stages and rule actions are declared once; whoever shows them shows all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from recommendations.admin.placements import PlacementForm
from recommendations.admin.rule_form import RuleForm
from recommendations.admin.wording import effect_words, filtered_words, rule_words, source_words
from recommendations.core.actions import RuleAction
from recommendations.core.strategies import STRATEGIES
from recommendations.core.types import FallbackReason, Stage
from recommendations.http import openapi
from recommendations.models import Placement, Rule
from recommendations.pipeline.eligibility import Filtered
from recommendations.pipeline.explanation import RuleEffect
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.pipeline.rules.registry import ACTIONS
from recommendations.retrieval.sources import LABELS, MODEL_SOURCES, SOURCES, Reason
from recommendations.state.placements import DEFAULT_PLACEMENTS
from recsite.demo.setup import PLACEMENTS as DEMO_PLACEMENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
SERVING = (DOCS / "serving.md").read_text()


def rows_of(first_column: str) -> dict[str, str]:
    """Return first and second column of a table of docs/serving.md."""
    table = re.search(rf"^\| {first_column} \|.*\n\|[-|]+\n((?:\|.*\n)+)", SERVING, re.MULTILINE)
    assert table is not None, f"docs/serving.md has no table of {first_column!r}"
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table[1], re.MULTILINE))


@pytest.mark.parametrize(
    ("table", "declared"),
    [
        ("strategy", {strategy.name: strategy.label for strategy in STRATEGIES.values()}),
        ("source", {**{source.name: source.label for source in SOURCES.values()}, **MODEL_SOURCES}),
        ("reason", {reason.value: reason.label for reason in Reason}),
        ("stage", {stage.value: stage.label for stage in Stage}),
        ("fallback reason", {reason.value: reason.label for reason in FallbackReason}),
        ("action", {action.value: action.label for action in RuleAction}),
    ],
)
def test_the_page_on_serving_lists_what_is_declared_and_nothing_else(table: str, declared: Mapping[str, str]) -> None:
    assert rows_of(table) == declared


@pytest.mark.django_db
def test_the_forms_offer_every_strategy_and_every_action() -> None:
    strategies = [name for name, _ in PlacementForm().fields["strategy"].choices if name]  # type: ignore[attr-defined]
    actions = [name for name, _ in RuleForm().fields["action"].choices if name]  # type: ignore[attr-defined]

    assert strategies == list(STRATEGIES)
    assert actions == list(RuleAction)
    assert dict(Placement._meta.get_field("strategy").choices or ()).keys() == STRATEGIES.keys()
    assert dict(Rule._meta.get_field("action").choices or ()).keys() == set(RuleAction)


@pytest.mark.django_db
def test_another_strategy_for_a_segment_may_be_any_that_is_declared() -> None:
    field = PlacementForm().fields["segment_strategies"]

    for strategy in STRATEGIES.values():
        assert field.clean([("champions", strategy.name)]) == {"champions": strategy.name}


def test_placements_that_are_made_for_a_site_name_strategies_that_exist() -> None:
    named = {strategy for _, _, strategy in DEFAULT_PLACEMENTS} | {row[2] for row in DEMO_PLACEMENTS}

    assert named <= STRATEGIES.keys()
    assert {strategy for _, _, strategy in DEFAULT_PLACEMENTS} == STRATEGIES.keys(), "a site can try each of them"


def test_the_document_of_the_api_names_every_stage_and_fallback_reason() -> None:
    properties = openapi.LIST["properties"]

    assert properties["stage"]["enum"] == list(Stage)
    assert properties["fallback_reason"]["enum"] == [*FallbackReason, None]
    for name in LABELS:
        assert re.search(rf"\b{name}\b", openapi.ITEM["properties"]["reason"]["description"])


def test_the_page_on_the_api_names_every_stage_and_fallback_reason_and_no_other() -> None:
    page = (DOCS / "api.md").read_text()
    paragraph = page[page.index("`stage` says how good") : page.index("`results` stand in the order")]

    assert set(re.findall(r"`([a-z_]+)`", paragraph)) - {"stage", "fallback_reason"} == {*Stage, *FallbackReason}


def test_every_action_does_something_and_says_so() -> None:
    assert list(ACTIONS) == list(RuleAction)
    for name, action in ACTIONS.items():
        spec = RuleSpec(rule_id=1, name="r", action=action.name, strength=4.0, items=("sku1",))
        touches = [action.is_filter, name is RuleAction.PIN, action.is_of_list, action.factor(spec) is not None]
        assert touches.count(True) == 1, name
        assert "item sku1" in action.sentence(spec, "item sku1")
        assert rule_words(spec).startswith(action.sentence(spec, "item sku1"))
        effect = RuleEffect(rule_id=1, name="r", action=name, factor=action.factor(spec), position=3)
        assert effect_words(effect)


def test_screens_have_words_for_every_reason_and_every_filter() -> None:
    for name, label in LABELS.items():
        assert source_words(name) == label
    for reason in Filtered:
        assert filtered_words(reason) == reason.label
    assert source_words("of_another_release") == "of another release"
