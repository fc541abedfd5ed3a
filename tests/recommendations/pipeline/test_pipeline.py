"""Whole lists from small worlds in which only one answer is right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recommendations.core.actions import RuleAction
from recommendations.core.types import FallbackReason, RequestUser, Stage
from recommendations.pipeline.diversity import Variety
from recommendations.pipeline.pipeline import STEPS, recover
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from recommendations.pipeline.state import PipelineError, PipelineState, Step
from tests.recommendations.worlds import NOW_MS, ids, item_index, item_row, served

SHOES = item_index(*[{"category": "Shoes" if number % 2 else "Hats"} for number in range(10)])


def who(*recents: str, **known: object) -> RequestUser:
    return RequestUser(key="a:1", recents=recents, session=recents, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("strategy", "stage", "reason"),
    [
        ("for_you", Stage.POPULAR, FallbackReason.NO_MODEL),
        ("similar", Stage.POPULAR, FallbackReason.NO_MODEL),
        ("trending", Stage.POPULAR, None),
        ("new", Stage.POPULAR, None),
        ("recently_viewed", Stage.EMPTY, FallbackReason.NO_HISTORY),
        ("buy_again", Stage.EMPTY, FallbackReason.NO_HISTORY),
    ],
)
def test_a_stranger_gets_the_best_there_is_and_the_reason(
    strategy: str, stage: Stage, reason: FallbackReason | None
) -> None:
    result = served(SHOES, PlacementSpec(name="p", strategy=strategy))

    assert [result.stage, result.fallback_reason] == [stage, reason]


def test_recently_viewed_is_the_shoppers_own_past_newest_first_and_nothing_else() -> None:
    result = served(SHOES, PlacementSpec(name="p", strategy="recently_viewed"), user=who("sku7", "sku2"))

    assert ids(SHOES, result) == ["sku7", "sku2"]
    assert result.stage is Stage.PERSONALISED


def test_buy_again_lists_purchases() -> None:
    result = served(SHOES, PlacementSpec(name="p", strategy="buy_again"), user=who(purchases=("sku4", "sku1")))

    assert ids(SHOES, result) == ["sku4", "sku1"]


def test_similar_items_never_hold_the_item_itself() -> None:
    result = served(SHOES, PlacementSpec(name="p", strategy="similar"), limit=4, context_items=("sku3",))

    assert "sku3" not in ids(SHOES, result)
    assert set(ids(SHOES, result)) == {"sku1", "sku5", "sku7", "sku9"}
    assert result.stage is Stage.SESSION


def test_the_cart_is_about_several_items_and_hides_them() -> None:
    result = served(SHOES, PlacementSpec(name="p", strategy="cart"), limit=6, cart=("sku3", "sku2"))

    assert not {"sku3", "sku2"} & set(ids(SHOES, result))
    assert {"sku1", "sku0"} <= set(ids(SHOES, result))


def test_what_is_sold_out_inactive_or_excluded_is_never_shown() -> None:
    on = item_index({}, {"stock": 0}, {"is_active": False}, {"availability": "out_of_stock"}, {}, {})

    assert ids(on, served(on, exclude=("sku4",))) == ["sku0", "sku5"]


@pytest.mark.parametrize(
    ("repeats", "hidden"),
    [("allow", set()), ("hide_seen", {"sku1", "sku3"}), ("hide_purchased", {"sku5"})],
)
def test_repeats_are_a_choice_of_the_placement(repeats: str, hidden: set[str]) -> None:
    placement = PlacementSpec(name="p", repeats=repeats, bought_days=0)  # type: ignore[arg-type]
    user = who("sku1", "sku3", purchases=("sku5",))

    shown = set(ids(SHOES, served(SHOES, placement, user=user, limit=10)))

    assert {f"sku{number}" for number in range(10)} - shown == hidden


def test_what_was_clicked_in_a_list_is_seen_though_it_is_no_step() -> None:
    user = replace(who("sku1"), clicked=("sku4",))

    shown = ids(SHOES, served(SHOES, PlacementSpec(name="p", repeats="hide_seen"), user=user, limit=10))

    assert not {"sku1", "sku4"} & set(shown)
    assert len(shown) == 8


def test_a_new_item_appears_without_a_model_that_knows_it() -> None:
    new = item_row(99, category="Shoes", first_seen_us=(NOW_MS - 3_600_000) * 1000)
    rows = [item_row(number, category="Shoes" if number % 2 else "Hats") for number in range(10)]
    on = item_index(*rows, new)

    shown = ids(on, served(on, user=who("sku1"), limit=5))

    assert "sku99" in shown


def test_variants_of_a_product_do_not_stand_beside_each_other() -> None:
    on = item_index({"group_id": "tee"}, {"group_id": "tee"}, {}, {"group_id": "cup"}, {"group_id": "cup"})

    assert ids(on, served(on, limit=5)) == ["sku0", "sku2", "sku3"]


def test_limits_a_category_fill_up_rather_than_leave_gaps() -> None:
    on = item_index({"category": "A"}, {"category": "A"}, {"category": "A"}, {"category": "B"})
    placement = PlacementSpec(name="p", strategy="new", variety=Variety(max_per_category=1))

    assert ids(on, served(on, placement, limit=2)) == ["sku0", "sku3"]
    assert ids(on, served(on, placement, limit=4)) == ["sku0", "sku3", "sku1", "sku2"]


def test_difference_brings_other_categories_forward() -> None:
    on = item_index(*[{"category": "A", "brand": "X"}] * 4, {"category": "B", "brand": "Y"})
    same = PlacementSpec(name="p", strategy="new")
    varied = PlacementSpec(name="p", strategy="new", variety=Variety(difference=0.9))

    assert ids(on, served(on, same, limit=2)) == ["sku0", "sku1"]
    assert ids(on, served(on, varied, limit=2)) == ["sku0", "sku4"]


def test_editorial_items_stand_in_when_the_placement_says_so() -> None:
    placement = PlacementSpec(name="p", fallback="editorial", editorial_items=("sku8", "sku2"))

    result = served(SHOES, placement)

    assert [ids(SHOES, result), result.stage] == [["sku8", "sku2"], Stage.EDITORIAL]


def test_a_segment_may_have_a_strategy_of_its_own() -> None:
    placement = PlacementSpec(name="p", strategy="new", segment_strategies={"champions": "buy_again"})
    champion = who(purchases=("sku6",), segments=frozenset({"champions"}))

    assert ids(SHOES, served(SHOES, placement, user=champion)) == ["sku6"]
    assert ids(SHOES, served(SHOES, placement, limit=1)) == ["sku0"]


def test_an_unavailable_store_is_said_and_the_page_still_counts() -> None:
    user = RequestUser(key="a:1", problem=FallbackReason.STORE_UNAVAILABLE)

    result = served(SHOES, limit=3, user=user, context_items=("sku3",))

    assert [result.stage, result.fallback_reason] == [Stage.SESSION, FallbackReason.STORE_UNAVAILABLE]


def test_an_empty_catalogue_is_an_empty_list() -> None:
    on = item_index({"is_active": False})

    result = served(on, user=who("sku0"))

    assert [result.rows, result.stage] == [(), Stage.EMPTY]


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("strategy", ["for_you", "similar", "recently_viewed", "trending"])
def test_a_step_that_fails_is_named_and_costs_no_promise(
    step: Step, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(state: PipelineState) -> None:
        raise ZeroDivisionError("a mistake of ours")

    never = compile_rule(RuleSpec(rule_id=1, name="never", action=RuleAction.EXCLUDE, items=("sku0", "sku1")))
    placement = PlacementSpec(name="p", strategy=strategy, rules=(never,))
    monkeypatch.setitem(STEPS, step, fail)

    with pytest.raises(PipelineError, match=step) as caught:
        served(SHOES, placement, user=who("sku7"), limit=4, explains=True)
    result = recover(caught.value)

    assert [result.fallback_reason, result.failed_step] == [FallbackReason.PIPELINE_ERROR, step]
    assert not {"sku0", "sku1"} & set(ids(SHOES, result)), "what is never to be shown is not shown now either"
    nothing_can_be_had = step in (Step.FEATURES, Step.FILTER, Step.FILL) or strategy == "recently_viewed"
    assert len(result.rows) == len(result.reasons) == (0 if nothing_can_be_had else 4)
    if step is not Step.EXPLAIN:
        assert result.explanation is not None
        assert result.explanation.failed_step == step


def test_given_items_stay_when_a_step_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    on = item_index({}, {"stock": 0}, {}, {})
    monkeypatch.setitem(STEPS, Step.RANK, None)  # type: ignore[arg-type]

    with pytest.raises(PipelineError) as caught:
        served(on, PlacementSpec(name="p", strategy="rerank"), candidates=("sku3", "sku1", "sku0"))
    result = recover(caught.value)

    assert [ids(on, result), result.reasons] == [["sku3", "sku0"], ("given", "given")]


def test_every_step_of_the_pipeline_runs_in_its_order() -> None:
    assert list(STEPS) == list(Step)
