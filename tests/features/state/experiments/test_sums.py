"""One user's part of an arm's sums, in numbers that stay exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.state.experiments.exposures import (
    CLICKS,
    FIGURES,
    IMPRESSIONS,
    MARGIN,
    REFUNDED,
    REVENUE,
    REVENUE_BEFORE,
)
from features.state.experiments.sums import (
    LARGEST,
    OF_ARM,
    OF_STEP,
    changes,
    parts_of,
    step_of,
    sums_of,
    take_in,
    whole,
)

amounts = st.integers(-(10**9), 10**9)
exposures = st.lists(amounts, min_size=len(FIGURES), max_size=len(FIGURES)).map(lambda figures: [1, 5, *figures])


@given(products=st.lists(st.integers(-(2**62), 2**62), max_size=20))
def test_parts_of_products_add_up_to_the_products(products: list[int]) -> None:
    parts = [parts_of(product) for product in products]
    assert whole(sum(high for high, _ in parts), sum(low for _, low in parts)) == sum(products)


@given(exposure=exposures)
def test_a_user_adds_its_squares_and_products(exposure: list[int]) -> None:
    found = sums_of(exposure)
    own = dict(zip(OF_ARM, found["1"], strict=True))
    figures = exposure[2:]
    before = max(-LARGEST, min(figures[REVENUE_BEFORE], LARGEST))
    assert own["users"] == 1
    assert own["clicks_impressions"] == figures[CLICKS] * figures[IMPRESSIONS]
    assert whole(own["revenue_before_squares_high"], own["revenue_before_squares_low"]) == before**2
    refunded = max(-LARGEST, min(figures[REFUNDED], LARGEST))
    sold = max(-LARGEST, min(figures[REVENUE], LARGEST)) + refunded
    products = {"sold_squares": sold**2, "refunded_squares": refunded**2, "refunded_sold": refunded * sold}
    for name, product in products.items():
        assert whole(own[f"{name}_high"], own[f"{name}_low"]) == product
    for letter, figure in (("r", REVENUE), ("m", MARGIN)):
        if figures[figure]:
            step = dict(zip(OF_STEP, found[f"1{letter}{step_of(figures[figure])}"], strict=True))
            assert step["total"] == figures[figure]
            assert whole(step["products_high"], step["products_low"]) == figures[figure] * before


@given(before=exposures, after=exposures)
def test_changes_turn_what_was_counted_into_what_is(before: list[int], after: list[int]) -> None:
    total = dict(sums_of(before))
    for sums in changes({"e1": before}, {"e1": after}).values():
        take_in(total, sums)
    assert {name: counts for name, counts in total.items() if any(counts)} == {
        name: counts for name, counts in sums_of(after).items() if any(counts)
    }


def test_what_was_forgotten_stays_counted_and_what_is_equal_changes_nothing() -> None:
    exposure = [0, 5, *range(len(FIGURES))]
    assert changes({"gone": exposure}, {}) == {}
    assert changes({"e1": exposure}, {"e1": list(exposure)}) == {}
