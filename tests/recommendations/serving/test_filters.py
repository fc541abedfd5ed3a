"""Conditions of a request: one price for all, masks made on a thread, nothing shown that is not known to match."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from recommendations.core.deadline import Deadline
from recommendations.core.types import FallbackReason, RequestUser
from recommendations.exceptions import FilterTooExpensive
from recommendations.filters import language, masks
from recommendations.items import index
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.retrieval.base import ServingContext
from recommendations.serving import filters
from recommendations.serving.filters import make_masks, price_filters
from tests.recommendations.worlds import NOW_MS, item_index


def query(text: str) -> ListQuery:
    return ListQuery(placement=PlacementSpec(name="p"), limit=4, filter=text, condition=language.parse(text))


@pytest.fixture
def on() -> ItemIndex:
    return item_index(*[{"brand": f"brand {n}", "attributes": {"name": f"n{n}"}} for n in range(50)])


def in_time() -> Deadline:
    return Deadline.after(10_000.0)


async def test_all_placements_of_a_request_have_one_price_and_the_dearest_is_named(
    on: ItemIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap, dear = query("price < 5"), query('brand has "x" and attributes.name has "y" and brand under "z"')
    price = await price_filters([cheap, dear], on, deadline=in_time())
    monkeypatch.setattr(filters, "MAX_PRICE", price - 1.0)

    assert await price_filters([dear, dear, dear], on, deadline=in_time()) < price
    with pytest.raises(FilterTooExpensive, match="the most is") as caught:
        await price_filters([cheap, dear], on, deadline=in_time())
    assert caught.value.field == "placements[1].filter"


async def test_a_mask_is_made_once_on_a_thread_for_all_spellings_and_then_costs_nothing(
    on: ItemIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def noted(*args: Any, **options: Any) -> Any:
        threads.append(threading.get_ident())
        return masks.mask_of(*args, **options)

    monkeypatch.setattr(index, "mask_of", noted)
    await make_masks(
        [query('price < 5 and brand has "x"'), query('brand  has "x" and price < 5')], on, deadline=in_time()
    )

    assert len(threads) == 1
    assert threads != [threading.get_ident()]
    assert await price_filters([query('brand has "x" and price < 5')], on, deadline=in_time()) == 0.0


async def test_after_the_deadline_nothing_is_evaluated_and_nothing_listed(
    on: ItemIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Deadline.after(0.0)
    await make_masks([query("price < 5")], on, deadline=late)
    result = recommend(
        query("price < 5"), RequestUser(), ServingContext(item_index=on, model=None, now_ms=NOW_MS), deadline=late
    )

    assert not on.has_request_mask(language.parse("price < 5"))
    assert [result.rows, result.fallback_reason] == [(), FallbackReason.DEADLINE]


def test_masks_of_visitors_are_few_and_never_push_out_those_of_placements(on: ItemIndex) -> None:
    kept = on.mask("filter:price < 9", language.parse("price < 9"))
    on._max_request_masks = 8
    for number in range(20):
        on.request_mask(language.parse(f"price < {number}"))
    on.request_mask(language.parse("price < 12"))
    on.request_mask(language.parse("price < 99"))

    assert len(on._request_masks) == 8
    assert on.has_request_mask(language.parse("price < 12")), "the one last asked for stays"
    assert on.mask("filter:price < 9", language.parse("price < 9")) is kept


def test_attributes_that_no_item_has_leave_nothing_behind(on: ItemIndex) -> None:
    for number in range(100):
        assert on.column(f"attributes.made_up_{number}") is None

    assert len(on._columns) == 0
    assert on.has_columns(["attributes.made_up_1"])
    assert not on.has_columns(["attributes.name"])
