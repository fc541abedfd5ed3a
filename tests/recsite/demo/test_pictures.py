"""Pictures are well-formed whatever stands in them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from recsite.demo.assortment import CATEGORIES
from recsite.demo.pictures import COLOURS, lettered_picture, picture


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.slug)
def test_every_category_has_a_picture_in_every_colour(category: Any) -> None:
    for colour in COLOURS:
        drawn = picture(category.slug, colour=colour, seed="FF01001", label='Tea "Time" <&>')
        assert ElementTree.fromstring(drawn).get("aria-label") == 'Tea "Time" <&>'
        assert "var(" not in drawn
        assert "$" not in drawn


def test_an_item_we_cannot_draw_gets_its_initials() -> None:
    drawn = lettered_picture("<script> & co", seed="x", label="a<b")
    assert "<script>" not in drawn
    ElementTree.fromstring(drawn)
