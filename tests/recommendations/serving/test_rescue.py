"""What is answered without sources and without a model, and what even then is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from recommendations.core.types import NOBODY, FallbackReason, RequestUser, Stage
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.serving import rescue
from recommendations.serving.rescue import popular_list, popular_lists
from recommendations.state.models import LiveModels
from recommendations.state.placements import Placements
from recommendations.state.site import SiteServing, SiteState
from tests.recommendations.worlds import ids, item_index

ON = item_index({"group_id": "tee"}, {"group_id": "tee"}, {"stock": 0}, {}, {}, {}, {})
STATE = SiteState(
    site="shop",
    placements=Placements(by_name={}),
    serving=SiteServing(number=1, item_index=ON, models=LiveModels()),
)


def query(limit: int = 2, **values: Any) -> ListQuery:
    placement = {name: values.pop(name) for name in ("strategy", "fallback", "editorial_items") if name in values}
    return ListQuery(placement=PlacementSpec(name="p", **placement), limit=limit, **values)


def test_popular_items_that_may_be_shown_stand_in() -> None:
    user = RequestUser(purchases=("sku3",))

    found = popular_list(STATE, query(cart=("sku1",)), user)

    assert [ids(ON, found), found.stage, found.fallback_reason] == [
        ["sku4", "sku5"], Stage.POPULAR, FallbackReason.PIPELINE_ERROR,
    ]  # fmt: skip
    assert b'"sku4"' in found.cards
    assert found.failed_step is None


def test_lists_of_a_page_repeat_nothing_and_keep_what_their_placements_say() -> None:
    found = popular_lists(
        STATE,
        [query(), query(), query(fallback="empty"), query(strategy="recently_viewed"), query(candidates=("sku6", "x"))],
        NOBODY,
    )

    assert [ids(ON, each) for each in found] == [["sku0", "sku3"], ["sku4", "sku5"], [], [], ["sku6"]]


@pytest.mark.expects_errors(r"lists\.failed")
def test_where_nothing_can_be_had_the_list_is_empty_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(rescue, "without_candidates", fail)

    found = popular_list(STATE, query(), NOBODY)

    assert [found.rows, found.cards, found.stage, found.fallback_reason] == [
        (), b"[]", Stage.EMPTY, FallbackReason.PIPELINE_ERROR,
    ]  # fmt: skip
