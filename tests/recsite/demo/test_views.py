"""The pages of the demo shop."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from recsite.demo.catalogue import Product
from recsite.demo.setup import PLACEMENTS
from recsite.demo.simulation.personas import personas
from tests.recsite.demo.pages import events_of, in_stock


def test_pages_answer_and_allow_no_inline_code(shop: list[Product], client: Client) -> None:
    item = in_stock(shop)
    for address in (
        "/",
        "/c/Hiking/",
        "/c/Hiking/Backpacks/",
        "/search/?q=mug",
        "/search/?q=zzz",
        f"/p/{item.item_id}/",
        "/cart/",
    ):
        response = client.get(address)
        text = response.content.decode()

        assert response.status_code == 200, address
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert not re.search(r"<script(?![^>]*(?:src=|type=\"application/json\"))", text)
        assert not re.search(r"\son\w+=|\sstyle=", text)


def test_widgets_name_placements_that_exist(shop: list[Product], client: Client) -> None:
    known = {name for name, *_ in PLACEMENTS}
    named: set[str] = set()
    client.post("/cart/change/", {"item_id": in_stock(shop).item_id})
    for address in ("/", f"/p/{shop[0].item_id}/", "/cart/", "/c/Hiking/"):
        named |= set(re.findall(r'placement="(\w+)"', client.get(address).content.decode()))

    assert named <= known
    assert {"home_for_you", "product_similar", "product_bought_together", "cart_cross_sell", "recently_viewed"} <= named


def test_lists_have_products_without_scripts(shop: list[Product], client: Client) -> None:
    assert "/p/" in re.findall(r"<rec-widget.*?</rec-widget>", client.get("/").content.decode(), re.DOTALL)[0]


@pytest.mark.parametrize(
    "address", ["/p/nothing/", "/c/Nothing/", "/demo/pictures/nothing.svg", "/demo/drawings/x/moss.svg"]
)
def test_what_is_not_there_is_404(shop: list[Product], client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_filters_narrow_the_list(shop: list[Product], client: Client) -> None:
    page = client.get("/c/Hiking/Backpacks/", {"brand": "Nordrand", "max": "250", "sort": "low"}).context["page"]

    prices = [item.price_minor for item in page]
    assert {item.brand for item in page} == {"Nordrand"}
    assert prices == sorted(prices)
    assert max(prices) <= 25_000


@pytest.mark.parametrize("query", ["page=99999", "page=x", "max=-1", "sort=drop", "brand=%00", "max=" + "9" * 50])
def test_odd_filters_do_no_harm(shop: list[Product], client: Client, query: str) -> None:
    assert client.get(f"/c/Hiking/?{query}").status_code == 200


def test_search_finds_words_in_any_order_and_tells_of_it(shop: list[Product], client: Client) -> None:
    response = client.get("/search/", {"q": "mugs kiln"})

    assert response.context["page"].paginator.count > 0
    assert {item.category for item in response.context["page"]} == {"Kitchen > Mugs"}
    ((name, params),) = events_of(response)
    assert (name, params["search_term"]) == ("search", "mugs kiln")


def test_search_results_can_be_sorted_for_the_shopper(shop: list[Product], client: Client) -> None:
    by_relevance = client.get("/search/", {"q": "mug"}).content.decode()
    by_price = client.get("/search/", {"q": "mug", "sort": "low"}).content.decode()

    assert 'data-rerank="search_rerank" hidden' in by_relevance, "shown by the script once the order is there"
    assert "search_rerank" in {name for name, *_ in PLACEMENTS}
    assert len(re.findall(r'<li data-item="[^"]+"', by_relevance)) > 5
    assert "data-rerank" not in by_price, "who asks for an order of price gets it"


def test_markup_in_a_search_is_only_text(shop: list[Product], client: Client) -> None:
    text = client.get("/search/", {"q": "</script><script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in text


def test_a_purchase_is_told_once_with_what_was_paid(shop: list[Product], client: Client) -> None:
    product = in_stock(shop)
    client.post("/cart/change/", {"item_id": product.item_id, "quantity": "2"})
    (cart,) = events_of(client.get("/cart/"))
    (checkout,) = events_of(client.get("/checkout/"))

    thanks = client.post("/checkout/order/", follow=True)
    again = client.get(thanks.redirect_chain[-1][0])

    ((name, params),) = events_of(thanks)
    assert [cart[0], checkout[0], name] == ["view_cart", "begin_checkout", "purchase"]
    assert params["value"] == pytest.approx(2 * product.paid_minor / 100)
    assert [(item["item_id"], item["quantity"]) for item in params["items"]] == [(product.item_id, 2)]
    assert events_of(again) == []
    assert client.get("/cart/").context["lines"] == []


def test_what_the_shop_tells_holds_to_the_contract(shop: list[Product], client: Client) -> None:
    from tracking.contract.parsing import parse_event

    product = in_stock(shop)
    client.post("/cart/change/", {"item_id": product.item_id})
    told = [
        *events_of(client.get(f"/p/{product.item_id}/")), *events_of(client.get("/cart/")),
        *events_of(client.get("/checkout/")), *events_of(client.get("/search/?q=mug")),
        *events_of(client.post("/checkout/order/", follow=True)),
    ]  # fmt: skip

    for name, params in told:
        event = parse_event(json.dumps({"event_id": "event-001", "event": name, "ts": 1, "params": params}).encode())
        assert type(event).__name__ != "CustomEvent"
    assert [name for name, _ in told] == ["view_item", "view_cart", "begin_checkout", "search", "purchase"]


def test_switching_the_shopper_starts_afresh_and_signs_a_token(shop: list[Product], client: Client) -> None:
    client.post("/cart/change/", {"item_id": in_stock(shop).item_id})
    client.cookies["rec_aid"] = "a" * 32

    switched = client.post("/demo/shopper/", {"user_id": personas()[0].user_id, "next": "/cart/"})
    page = client.get("/cart/")

    assert switched.headers["Location"] == "/cart/"
    assert switched.cookies["rec_aid"]["max-age"] == 0
    assert page.context["cart_count"] == 0
    assert page.context["user_token"].count(".") == 2
    client.post("/demo/shopper/", {"user_id": ""})
    assert client.get("/").context["persona"] is None


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_switching_never_leads_elsewhere(shop: list[Product], client: Client, target: str) -> None:
    assert client.post("/demo/shopper/", {"user_id": "", "next": target}).headers["Location"] == "/"


def test_nobody_becomes_a_shopper_that_is_no_persona(shop: list[Product], client: Client) -> None:
    client.post("/demo/shopper/", {"user_id": "somebody-else"})
    assert client.get("/").context["persona"] is None


def test_forms_need_their_token(shop: list[Product]) -> None:
    strict = Client(enforce_csrf_checks=True)
    for address in ("/cart/change/", "/checkout/order/", "/demo/shopper/"):
        assert strict.post(address, {}).status_code == 403


def test_pictures_are_cached(shop: list[Product], client: Client) -> None:
    response = client.get(f"/demo/pictures/{shop[0].item_id}.svg")
    assert response.headers["Content-Type"].startswith("image/svg+xml")
    assert "immutable" in response.headers["Cache-Control"]


def test_pages_say_what_the_shop_still_waits_for(
    shop: list[Product], client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    assert b"data-waits" not in client.get("/").content
    assert client.get("/demo/progress/").json() == {"waits_for": ""}

    (tmp_path / "demo_progress").write_text("the first model is being trained")

    assert b"The shop is open while the first model is being trained." in client.get("/cart/").content
    assert client.get("/demo/progress/").json() == {"waits_for": "the first model is being trained"}
