"""Conditions beside the item of the page: its values put in, and nothing where it has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.filters.language import parse
from recommendations.filters.masks import mask_of
from recommendations.filters.relative import is_relative, on_any_page, on_page
from tests.recommendations.worlds import item_index

ON = item_index(
    {"brand": "Alta", "category": "Shoes", "tags": ["new", "eco"], "attributes": {"colour": "moss"}},
    {"brand": "Brio", "category": "Shoes", "tags": ["eco"], "attributes": {"colour": "Moss"}},
    {"brand": "ALTA", "category": "Hats", "tags": []},
    {"brand": "", "category": "Hats", "attributes": {"colour": "sand"}},
)


def rows(text: str, page_row: int) -> list[int]:
    condition = parse(text, allows_page=True)
    assert is_relative(condition)
    return np.flatnonzero(mask_of(on_page(condition, ON, page_row), ON)).tolist()


@pytest.mark.parametrize(
    ("text", "page", "found"),
    [
        ("brand = page.brand", 0, [0, 2]),
        ("brand != page.brand", 0, [1]),
        ("brand = page.brand", 3, []),  # the page's item has no brand
        ("brand != page.brand", 3, []),
        ("category = page.category and price < page.price", 1, [0]),
        ("price > page.price * 1.5", 0, [1, 2, 3]),
        ("price >= page.price * 0.7 and price <= page.price * 1.3", 2, [2]),
        ("tags = page.tags", 0, [0, 1]),  # one in common is enough
        ("tags = page.tags", 2, []),
        ("attributes.colour = page.attributes.colour", 1, [0, 1]),
        ("attributes.colour = page.attributes.colour", 2, []),
        ("attributes.gone = page.attributes.gone", 0, []),
    ],
)
def test_items_are_compared_with_the_item_of_the_page(text: str, page: int, found: list[int]) -> None:
    assert rows(text, page) == found


@given(st.integers(0, 3), st.sampled_from(["brand", "category", "tags", "attributes.colour"]))
def test_what_may_match_on_some_page_holds_what_matches_on_each(page: int, name: str) -> None:
    condition = parse(f"{name} = page.{name} and price > 1", allows_page=True)
    on_this = mask_of(on_page(condition, ON, page), ON)

    assert not (on_this & ~mask_of(on_any_page(condition), ON)).any()
