"""Formulas: what they compute, item by item, and where a text that is none goes wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.filters.formula import MAX_LENGTH, MAX_STEPS, InvalidFormula, parse

NAMES = ("views_7d", "purchases_7d", "margin", "price")
COLUMNS = {
    "views_7d": [100.0, 0.0, 20.0], "purchases_7d": [6.0, 0.0, 4.0], "margin": [0.5, 0.9, math.nan],
    "price": [10.0, 40.0, 90.0], "attributes.rating": [4.0, math.nan, 2.0],
}  # fmt: skip


def values(text: str) -> list[Any]:
    found = parse(text, known=NAMES).values(lambda name: np.array(COLUMNS[name]), n_rows=3)
    return [None if math.isnan(each) else each for each in found.tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("purchases_7d / (views_7d + 20) * margin", [0.025, 0.0, None]),
        ("-price ** 2", [-100.0, -1600.0, -8100.0]),
        ("purchases_7d / views_7d", [0.06, None, 0.2]),
        ("default(attributes.rating, 3) + 0 * price", [4.0, 3.0, 2.0]),
        ("min(price, 50) - max(views_7d, 30)", [-90.0, 10.0, 20.0]),
        ("price < 50 and views_7d > 0", [1.0, 0.0, 0.0]),
        ("not price", [0.0, 0.0, 0.0]),
        ("price if margin >= .5 else 1", [10.0, 40.0, 1.0]),
        ("sqrt(abs(price - 14))", [2.0, math.sqrt(26), math.sqrt(76)]),
        ("  log(price) \n+ 0*views_7d", [math.log(10), math.log(40), math.log(90)]),
    ],
)
def test_a_formula_has_a_value_for_each_item_and_none_where_a_figure_is_missing(text: str, expected: Any) -> None:
    assert values(text) == [None if each is None else pytest.approx(each) for each in expected]


def test_what_is_infinite_is_no_finite_number() -> None:
    assert values("price / views_7d")[1] == math.inf


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "nothing is written"),
        ("price * views_7dd", 9, "“views_7dd” is no figure; there are views_7d"),
        ("  zork + 1", 3, "there are margin, price"),
        ("price +* 2", 8, "this is no formula"),
        ("(price", 1, "this is no formula"),
        ("price.real", 1, "is no figure"),
        ("attributes.a.b", 1, "is no figure"),
        ("ärger + price", 1, "is no figure"),
        ("price + 'ä' * 2", 9, "is no number"),
        ("price + True", 9, "is no number"),
        ("price + 1e999", 9, "too large"),
        ("__import__('os').system('ls') + price", 1, "this is no arithmetic"),
        ("price + exp(2)", 9, "“exp” is no function; there are log"),
        ("price + min(2)", 9, "min takes 2 values and has 1"),
        ("price + min(*price)", 9, "takes 2 values"),
        ("[price for price in price]", 1, "this is no arithmetic"),
        ("(lambda: price)()", 1, "this is no arithmetic"),
        ("price @ margin", 1, "this is no arithmetic"),
        ("1 < price < 5", 1, "join two by “and”"),
        ("3 * 4", 1, "it names no figure"),
        ("price" + " + 1" * (MAX_STEPS + 1), 1, "at most"),
        ("-" * (MAX_STEPS + 1) + "price", MAX_STEPS + 1, "operations at most"),
        ("(" * 250 + "price" + ")" * 250, 1, ""),
        ("p" * (MAX_LENGTH + 1), MAX_LENGTH + 1, "characters at most"),
        ("price\0", 1, ""),
    ],
)
def test_a_text_that_is_no_formula_names_the_position_and_the_remedy(text: str, position: int, says: str) -> None:
    with pytest.raises(InvalidFormula) as caught:
        parse(text, known=NAMES)

    assert says in caught.value.reason
    if says:
        assert caught.value.position == position
        assert str(caught.value).startswith(f"At character {position:,}: ")


@given(st.text(alphabet="price views_7d()+-*/.<>=ifelsandornot0123456789,'[]{}:\n\\\u00e4", max_size=60))
def test_any_text_is_a_formula_or_is_refused(text: str) -> None:
    position = shape = None
    try:
        shape = parse(text, known=NAMES).values(lambda name: np.ones(2), n_rows=2).shape
    except InvalidFormula as error:
        position = error.position

    assert shape == (2,) or (position is not None and 1 <= position <= max(len(text), 1))


def test_the_price_grows_with_steps_and_items() -> None:
    small, large = parse("price + 1", known=NAMES), parse("price + 1 + views_7d * 2", known=NAMES)

    assert small.price_us(1_000) * 10 == pytest.approx(small.price_us(10_000))
    assert large.price_us(1_000) > small.price_us(1_000)
