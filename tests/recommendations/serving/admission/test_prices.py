"""Prices of lists: known before, the same each time, and what several lists have in common is paid once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.strategies import STRATEGIES
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.serving.admission.prices import MAX_REQUEST_PRICE, prices_of, within_price
from recommendations.state.placements import DEFAULT_PLACEMENTS


def query(strategy: str = "for_you", **values: object) -> ListQuery:
    return replace(ListQuery(placement=PlacementSpec(name="p", strategy=strategy), limit=12), **values)  # type: ignore[arg-type]


def test_a_page_of_every_usual_placement_is_within_the_price_of_a_request() -> None:
    page = [query(strategy) for _, _, strategy in DEFAULT_PLACEMENTS if strategy != "rerank"]
    assert within_price(prices_of(page), spent=0.0) == len(page)


def test_twenty_lists_for_one_user_ask_the_model_once() -> None:
    prices = prices_of([query() for _ in range(20)])
    assert prices[1] < prices[0] / 4
    assert within_price(prices, spent=0.0) == 20


def test_twenty_lists_about_other_items_each_are_not_all_made() -> None:
    page = [query("also_viewed", context_items=(f"sku{number}",)) for number in range(20)]
    assert 5 <= within_price(prices_of(page), spent=0.0) < 20


def test_the_first_list_is_always_made() -> None:
    assert within_price(prices_of([query(), query()]), spent=MAX_REQUEST_PRICE) == 1


QUERIES = st.builds(
    query,
    st.sampled_from(sorted(STRATEGIES)),
    limit=st.integers(1, 100),
    context_items=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple),
    exclude=st.lists(st.just("x"), max_size=500).map(tuple),
)


@pytest.mark.slow
@given(page=st.lists(QUERIES, min_size=1, max_size=20), spent=st.floats(0, 12_000))
def test_what_is_made_is_within_the_price_and_more_never_costs_less(page: list[ListQuery], spent: float) -> None:
    prices = prices_of(page)
    count = within_price(prices, spent=spent)
    assert count == 1 or spent + sum(prices[:count]) <= MAX_REQUEST_PRICE
    assert count == len(page) or spent + sum(prices[: count + 1]) > MAX_REQUEST_PRICE
    for each, price in zip(page, prices, strict=True):
        assert prices_of([replace(each, exclude=(*each.exclude, "y"))])[0] > prices_of([each])[0] >= price
