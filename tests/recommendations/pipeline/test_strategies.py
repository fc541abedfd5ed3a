"""What a list is about, for each kind of strategy."""

from __future__ import annotations

from typing import Any

import pytest

from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import PipelineState
from recommendations.pipeline.strategies import MAX_ABOUT, find_subject, strategy_for
from recommendations.retrieval.base import ServingContext
from tests.recommendations.worlds import NOW_MS, item_index

ON = item_index(n=100)
USER = RequestUser(recents=("sku7", "sku8", "sku9", "sku10"), session=("sku7", "sku8", "sku7"), cart=("sku5",))


def subject(strategy: str, user: RequestUser = USER, **query: Any) -> tuple[tuple[int, ...], int | None, bool]:
    state = PipelineState(
        query=ListQuery(placement=PlacementSpec(name="p", strategy=strategy), limit=4, **query),
        user=user,
        context=ServingContext(item_index=ON, model=None, now_ms=NOW_MS),
        deadline=Deadline.after(100.0),
    )
    find_subject(state)
    return state.about, state.page_row, state.is_of_user


@pytest.mark.parametrize(
    ("strategy", "query", "expected"),
    [
        ("for_you", {}, ((7, 8, 7), None, True)),
        ("for_you", {"context_items": ("sku3",)}, ((3, 7, 8, 7), 3, True)),
        ("for_you", {"context_items": ("sku7",)}, ((7, 8, 7), 7, True)),
        ("similar", {"context_items": ("sku3", "gone")}, ((3,), 3, False)),
        ("similar", {"cart": ("sku4",)}, ((4,), None, False)),
        ("similar", {}, ((7, 8, 9), None, True)),
        ("cart", {"cart": ("sku4",), "context_items": ("sku3",)}, ((4,), 3, False)),
        ("cart", {}, ((5,), None, True)),
        ("trending", {"context_items": ("sku3",)}, ((), 3, False)),
        ("recently_viewed", {}, ((), None, True)),
    ],
)
def test_the_items_that_a_list_goes_with(strategy: str, query: dict[str, Any], expected: object) -> None:
    assert subject(strategy, **query) == expected


def test_a_user_without_history_leaves_a_personal_list_about_nothing() -> None:
    assert subject("for_you", RequestUser()) == ((), None, False)
    assert subject("recently_viewed", RequestUser()) == ((), None, False)


def test_long_histories_are_cut() -> None:
    long = RequestUser(session=tuple(f"sku{number}" for number in range(100)))

    assert len(subject("for_you", long)[0]) == MAX_ABOUT


def test_a_segment_of_the_user_may_have_its_own_strategy_and_an_unknown_one_changes_nothing() -> None:
    placement = PlacementSpec(name="p", strategy="new", segment_strategies={"lost": "gone", "champions": "buy_again"})
    champion = RequestUser(segments=frozenset({"champions"}))

    assert strategy_for(placement, champion).name == "buy_again"
    assert strategy_for(placement, RequestUser(segments=frozenset({"lost"}))).name == "new"
    assert strategy_for(placement, RequestUser()).name == "new"
