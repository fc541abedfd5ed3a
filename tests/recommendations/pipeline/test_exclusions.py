"""What the shopper has already is recommended by no strategy, in no size and no colour, also when a step fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.strategies import BOUGHT_DAYS, STRATEGIES
from recommendations.core.types import RequestUser
from recommendations.filters import language
from recommendations.items.index import DAY_MS
from recommendations.pipeline.exclusions import hidden_rows
from recommendations.pipeline.pipeline import STEPS, recover
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import PipelineError, PipelineState, Step
from tests.recommendations.worlds import NOW_MS, ids, item_index, served

N_PRODUCTS, SIZES = 12, 3
ON = item_index(
    *[
        {
            "group_id": f"product{number // SIZES}" if number // SIZES % 4 else "",
            "category": f"Category {number // SIZES % 3}",
            "attributes": {"size": str(number % SIZES)},
        }
        for number in range(N_PRODUCTS * SIZES)
    ]
)
NAMES = st.sampled_from(
    [*(f"sku{number}" for number in range(N_PRODUCTS * SIZES)), *(f"product{number}" for number in range(N_PRODUCTS))]
)
FEW = st.lists(NAMES, max_size=3).map(tuple)
OWN_PURCHASES = "buy_again"


def products_of(*names: str) -> set[int]:
    """Return the products of items, or of groups; unknown names have none."""
    return {int(ON.products.of_row[row]) for row in ON.rows(names)}


@st.composite
def requests(draw: st.DrawFn) -> tuple[RequestUser, dict[str, Any], set[int]]:
    """Return a user, what the request adds, and the products that must not be listed beside what was bought."""
    cart, said_cart, page, excluded = (draw(FEW) for _ in range(4))
    seen = draw(st.lists(NAMES, max_size=8, unique=True).map(tuple))
    user = RequestUser(
        key="u:1", recents=seen, session=seen, cart=cart, purchases=draw(FEW), version=draw(st.sampled_from(["", "1"]))
    )
    query = {"cart": said_cart, "context_items": page[:1], "exclude": excluded}
    return user, query, products_of(*cart, *said_cart, *page[:1], *excluded)


@pytest.mark.slow
@given(requests(), st.sampled_from(sorted(STRATEGIES)), st.integers(1, 12))
def test_no_strategy_lists_what_the_shopper_has(
    request: tuple[RequestUser, dict[str, Any], set[int]], strategy: str, limit: int
) -> None:
    user, query, forbidden = request
    if strategy != OWN_PURCHASES:
        forbidden |= products_of(*user.purchases)

    rows = served(ON, PlacementSpec(name="p", strategy=strategy), user=user, limit=limit, **query).rows

    listed = [int(ON.products.of_row[row]) for row in rows]
    assert not forbidden & set(listed)
    assert len(listed) == len(set(listed)), "one variant of each product"
    if not STRATEGIES[strategy].lists_own_past:
        may_show = set(ON.products.of_row.tolist()) - forbidden
        about = products_of(*user.session) if STRATEGIES[strategy].hides_about else set()
        least, most = min(limit, len(may_show - about)), min(limit, len(may_show))
        assert least <= len(rows) <= most, "a list is as long as what may be shown allows"


@pytest.mark.slow
@given(requests(), st.sampled_from(sorted(STRATEGIES)), st.sampled_from(list(Step)))
def test_no_fallback_lists_it_either(
    request: tuple[RequestUser, dict[str, Any], set[int]], strategy: str, step: Step
) -> None:
    user, query, forbidden = request
    if strategy != OWN_PURCHASES:
        forbidden |= products_of(*user.purchases)

    def fail(state: PipelineState) -> None:
        raise ZeroDivisionError("a mistake of ours")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STEPS, step, fail)
        with pytest.raises(PipelineError) as caught:
            served(ON, PlacementSpec(name="p", strategy=strategy), user=user, **query)

    assert not forbidden & {int(ON.products.of_row[row]) for row in recover(caught.value).rows}


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"recently_viewed", OWN_PURCHASES}))
def test_a_placement_may_say_that_cart_and_purchases_come_again(strategy: str) -> None:
    on = item_index(n=4)
    placement = PlacementSpec(name="p", strategy=strategy, hides_cart=False, bought_days=0)
    user = RequestUser(cart=("sku1",), purchases=("sku2",))

    listed = ids(on, served(on, placement, user=user))

    assert ("sku1" in listed) is (strategy != "cart"), "what goes with the cart is not the cart itself"
    assert "sku2" in listed


@pytest.mark.parametrize(
    ("age_days", "bought_days", "is_hidden"),
    [(0, BOUGHT_DAYS, True), (29.9, 30, True), (30.1, 30, False), (300, 365, True), (1, 0, False)],
)
def test_what_was_bought_is_hidden_for_so_many_days(age_days: float, bought_days: int, is_hidden: bool) -> None:
    user = RequestUser(purchases=("sku2",), bought_ms={"sku2": int(NOW_MS - age_days * DAY_MS)})
    placement = PlacementSpec(name="p", strategy="new", bought_days=bought_days)

    assert ("sku2" not in ids(ON, served(ON, placement, user=user, limit=30))) is is_hidden


@pytest.mark.parametrize("repeats", ["allow", "hide_purchased"])
def test_what_is_used_up_may_be_shown_again_but_not_while_it_lies_in_the_cart(repeats: Any) -> None:
    on = item_index({"category": "Coffee"}, {"category": "Cups"}, {"attributes": {"repeatable": True}}, {})
    text = 'category under "Coffee" or attributes.repeatable in ("true", "yes", "1")'
    placement = PlacementSpec(
        name="p", strategy="new", repeats=repeats, repeatable_filter=text, repeatable=language.parse(text)
    )
    user = RequestUser(purchases=("sku0", "sku1", "sku2"))

    assert ids(on, served(on, placement, user=user)) == ["sku0", "sku2", "sku3"]
    assert ids(on, served(on, placement, user=user, cart=("sku0",))) == ["sku2", "sku3"]


def test_search_results_keep_what_lies_in_the_cart_and_lose_what_is_excluded() -> None:
    on = item_index(n=6)
    found = ("sku1", "sku2", "sku3", "sku4")
    user = RequestUser(purchases=("sku1",), cart=("sku2",))
    placement = PlacementSpec(name="p", strategy="rerank")

    assert set(ids(on, served(on, placement, user=user, candidates=found, exclude=("sku4",)))) == set(found[:3])


def test_the_subject_of_a_list_is_not_in_it() -> None:
    query = ListQuery(placement=PlacementSpec(name="p"), limit=4, context_items=("sku3",))

    def hidden(strategy: str) -> set[int]:
        return hidden_rows(query, RequestUser(), ON, strategy=STRATEGIES[strategy], about=(2,), now_ms=NOW_MS)

    assert [hidden("similar"), hidden("for_you")] == [{2, 3}, {3}]
