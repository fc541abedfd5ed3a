"""Prices, addresses and times as the demo shop writes them."""

from __future__ import annotations

import pytest
from django.template import Context, Template

from features.models import Item
from recsite.templatetags import shop


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (119_000, "EUR", "€1,190.00"),
        (500, "USD", "$5.00"),
        (500, "CHF", "5.00 CHF"),
        (6_000, "JPY", "6,000 JPY"),
        (None, "EUR", ""),
    ],
)
def test_amounts(minor: int | None, currency: str, shown: str) -> None:
    assert shop.money(minor, currency) == shown


@pytest.mark.parametrize(
    ("price", "sale", "shown"),
    [
        (1_000, None, '<span class="price">€10.00</span>'),
        (
            1_000,
            800,
            '<span class="price is-sale"><span class="quiet">now </span>€8.00 '
            '<s><span class="quiet">was </span>€10.00</s></span>',
        ),
        (None, None, ""),
    ],
)
def test_the_old_price_is_struck_through(price: int | None, sale: int | None, shown: str) -> None:
    item = Item(item_id="1", title="Mug", price_minor=price, sale_price_minor=sale, currency="EUR")
    page = Template("{% load shop %}{% price item %}").render(Context({"item": item}))
    assert page == shown


def test_addresses_of_categories_are_quoted() -> None:
    assert shop.category_url("Home & Garden > Mugs") == "/c/Home%20%26%20Garden/Mugs/"
    assert shop.until(["Home", "Mugs", "Blue"], 2) == "Home > Mugs"


@pytest.mark.parametrize(
    ("age_ms", "said"),
    [(0, "just now"), (30_000, "30 seconds ago"), (60_000, "1 minute ago"), (7_200_000, "2 hours ago")],
)
def test_how_long_ago(age_ms: int, said: str) -> None:
    assert shop.ago(age_ms) == said
