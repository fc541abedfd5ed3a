"""The condition language: what it means, and that nothing in it can break or run."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, Not
from recommendations.filters.masks import mask_of
from tests.recommendations.worlds import item_index

SHOP = item_index(
    {"price_minor": 1999, "category": "Women > Shoes > Boots", "brand": "Alta", "tags": ["Sale", "warm"]},
    {"price_minor": 5000, "category": "Men > Shoes", "brand": "Brio", "stock": 3},
    {"price_minor": None, "category": "Hats", "attributes": {"color": "red", "size": 42}},
    {"price_minor": 100, "category": "", "brand": "alta", "attributes": {"color": "blue"}, "stock": 0},
)


def matching(text: str) -> list[int]:
    return np.flatnonzero(mask_of(language.parse(text), SHOP)).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("price < 50", [0, 3]),
        ("price = 19.99", [0]),
        ("price >= 50", [1]),
        ("price != 50", [0, 3]),
        ("price is empty", [2]),
        ("price is not empty and not price > 20", [0, 3]),
        ('brand = "ALTA"', [0, 3]),
        ('brand in ("Alta", "Brio")', [0, 1, 3]),
        ('brand not in ("Alta")', [1, 2]),
        ('category under "Shoes"', [0, 1]),
        ('category under "Women > Shoes"', [0]),
        ('category = "Boots"', [0]),
        ("category is empty", [3]),
        ('tags has "sale"', [0]),
        ('tags in ("warm", "cold")', [0]),
        ("stock < 5", [1, 3]),
        ("in_stock = true", [0, 1, 2]),
        ('attributes.color = "red"', [2]),
        ("attributes.size > 40", [2]),
        ("attributes.nothing = 1", []),
        ("attributes.nothing is empty", [0, 1, 2, 3]),
        ('item_id in ("sku1", "sku3", "gone")', [1, 3]),
        ('price < 1 or (brand = "Brio" and stock = 3)', [1]),
        ("age_days >= 41", [1, 2, 3]),
    ],
)
def test_a_condition_matches_what_it_says(text: str, rows: list[int]) -> None:
    assert matching(text) == rows


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "name of an attribute"),
        ("price", "comparison"),
        ("price <", "a value"),
        ("price < fifty", "a value"),
        ('price < "fifty"', "give a number"),
        ("price < 5 brand", "'and', 'or' or the end"),
        ("(price < 5", "')'"),
        ("price < 5; drop", "position 10"),
        ("__import__('os')", "comparison"),
        ("not " * 3 + "(" * 40, "nested"),
        (" or ".join(["price = 1"] * 65), "comparisons"),
        ("x" * 2001, "characters"),
        ("price in ()", "a value"),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_the_place(text: str, reason: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        language.parse(text)

    assert reason in caught.value.reason
    assert caught.value.field == "filter"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidQuery):
        mask = mask_of(language.parse(text), SHOP)
        assert mask.shape == (4,)


names = st.sampled_from(["price", "brand", "category", "tags", "stock", "attributes.color", "item_id", "nothing"])
values = st.one_of(
    st.floats(-10, 100, allow_nan=False), st.sampled_from(["Alta", "Shoes", "red", "sku1"]), st.booleans()
)
comparisons = st.builds(
    Comparison, names, st.sampled_from(["=", "!=", "in", "has", "under"]), values.map(lambda value: (value,))
) | st.builds(lambda name: Comparison(name, "empty"), names)
conditions: st.SearchStrategy[Condition] = st.recursive(
    comparisons,
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, max_size=3).map(lambda parts: AllOf(tuple(parts)))
        | st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(conditions, conditions)
def test_and_or_and_not_follow_the_laws_of_logic(one: Condition, other: Condition) -> None:
    def mask(condition: Condition) -> np.ndarray:
        return mask_of(condition, SHOP)

    assert (mask(Not(Not(one))) == mask(one)).all()
    assert (mask(Not(AllOf((one, other)))) == mask(AnyOf((Not(one), Not(other))))).all()
    assert (mask(AllOf((one, other))) == (mask(one) & mask(other))).all()
    assert (mask(AnyOf((one, other))) == (mask(one) | mask(other))).all()


def test_a_mask_is_computed_once_a_catalogue() -> None:
    on = item_index({}, {})
    condition = language.parse("price > 1")

    assert on.mask("filter:price > 1", condition) is on.mask("filter:price > 1", condition)
