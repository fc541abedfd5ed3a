"""Chances and amounts make one order by their weights, whatever the currency and whatever is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.core.objectives import LEARNT, NEEDS, Calibration, Objective, log_shares, mixed, values_of

CLICK = np.array([0.4, 0.3, 0.1], np.float32)
PURCHASE = np.array([0.01, 0.02, 0.03], np.float32)
PRICE = np.array([10.0, 10.0, 100.0], np.float32)
MARGIN = np.array([0.5, np.nan, -0.1], np.float32)
CHANCES = {"click": CLICK, "purchase": PURCHASE}


def values(price: np.ndarray = PRICE, margin: np.ndarray = MARGIN) -> dict[str, np.ndarray]:
    found = {each.value: values_of(each.value, CHANCES, price=price, margin=margin) for each in Objective}
    return {name: value for name, value in found.items() if value is not None}


def test_every_objective_is_learnt_or_computed_from_one_that_is() -> None:
    assert set(NEEDS) == {each.value for each in Objective}
    assert set(NEEDS.values()) <= set(LEARNT)


def test_a_calibration_is_linear_between_knots_and_level_beyond() -> None:
    found = Calibration((-1.0, 1.0), (0.1, 0.5))(np.array([-9, -1, 0, 1, 9], np.float32))

    np.testing.assert_allclose(found, [0.1, 0.1, 0.3, 0.5, 0.5], rtol=1e-6)
    assert found.dtype == np.float32


def test_shares_keep_the_order_add_up_to_one_and_do_not_overflow() -> None:
    scores = np.array([900.0, 899.0, -900.0], np.float32)

    shares = log_shares(scores)

    assert np.exp(shares).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(shares, log_shares(scores - 1_000), rtol=1e-6)
    assert log_shares(scores[:0]).shape == (0,)


def test_revenue_and_margin_are_the_chance_of_a_purchase_times_what_it_brings() -> None:
    found = values()

    np.testing.assert_allclose(found["revenue"], [0.1, 0.2, 3.0], rtol=1e-6)
    np.testing.assert_allclose(found["margin"], [0.05, 0.04, -0.3], rtol=1e-6)  # unknown is the mean, .2
    assert "cart" not in found, "what was not learnt is not made up"


def test_without_any_price_or_cost_nothing_is_known_of_revenue_or_margin() -> None:
    nothing = np.full(3, np.nan, np.float32)

    assert values(price=nothing).keys() == {"click", "purchase"}
    assert values(margin=nothing).keys() == {"click", "purchase", "revenue"}


def test_weights_are_shares_of_attention_in_any_currency() -> None:
    weights = (("click", 70.0), ("revenue", 30.0))

    euro, yen = mixed(values(), weights), mixed(values(price=PRICE * 160), weights)

    expected = 70 * CLICK / CLICK.sum() + 30 * (PURCHASE * PRICE) / (PURCHASE * PRICE).sum()
    np.testing.assert_allclose(euro, expected, rtol=1e-5)
    np.testing.assert_allclose(yen, euro, rtol=1e-5)


def test_what_sells_at_a_loss_comes_last_by_margin() -> None:
    found = mixed(values(), (("margin", 100.0),))

    assert found is not None
    assert found.argmin() == 2


@pytest.mark.parametrize("weights", [(), (("cart", 50.0),), (("click", 0.0),)])
def test_where_nothing_weighs_there_is_no_mixture(weights: tuple[tuple[str, float], ...]) -> None:
    assert mixed(values(), weights) is None
