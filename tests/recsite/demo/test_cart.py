"""The cart in its signed cookie."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from recsite.demo.catalogue import Product
from tests.recsite.demo.pages import in_stock


def test_scripts_get_the_count_of_the_cart(shop: list[Product], client: Client) -> None:
    item_id = in_stock(shop).item_id

    added = client.post("/cart/change/", {"item_id": item_id, "quantity": "3"}, headers={"Accept": "application/json"})
    taken = client.post(
        "/cart/change/", {"item_id": item_id, "action": "set", "quantity": "0"}, headers={"Accept": "application/json"}
    )

    assert added.json() == {"count": 3, "item_ids": [item_id]}
    assert taken.json() == {"count": 0, "item_ids": []}


@pytest.mark.parametrize("quantity", ["-5", "1e9", "99999999999", "x", ""])
def test_odd_quantities_do_no_harm(shop: list[Product], client: Client, quantity: str) -> None:
    client.post("/cart/change/", {"item_id": in_stock(shop).item_id, "quantity": quantity})
    assert 0 < client.get("/cart/").context["cart_count"] <= 20


def test_a_forged_cart_is_empty(shop: list[Product], client: Client) -> None:
    client.cookies["shop_cart"] = json.dumps({in_stock(shop).item_id: 5})
    assert client.get("/cart/").context["cart_count"] == 0
