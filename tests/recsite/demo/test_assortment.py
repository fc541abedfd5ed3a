"""The kinds of products fit each other."""

from __future__ import annotations

from recsite.demo.assortment import BRANDS, BY_SLUG, CATEGORIES


def test_what_goes_together_is_sold_here() -> None:
    for category in CATEGORIES:
        assert category.goes_with
        assert all(slug in BY_SLUG and slug != category.slug for slug in category.goes_with)
        assert all(brand in BRANDS for brand in category.brands)
