"""The typed API for the shop's servers, and its document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from recommendations.http.recommend import recommend_application
from recommendations.serving import explanation_log
from tests.recommendations.conftest import Shop
from tests.tracking.asgi_client import call

pytestmark = pytest.mark.redis


@pytest.fixture
def send(shop: Shop, settings: Any, tmp_path: Any) -> Any:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    shop.load()
    client = Client()

    def send(method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        data = "" if body is None else json.dumps(body)
        return getattr(client, method)(
            f"/v1{path}",
            **({"data": data, "content_type": "application/json"} if body is not None else {}),
            headers={"authorization": f"Bearer {key or shop.secret}"},
        )

    return send


def test_an_item_is_written_read_hidden_and_listed(send: Any) -> None:
    written = send("put", "/items/SKU-1", {"title": "Boots", "price": "59.90 EUR", "category": "Shoes > Boots"})
    read = send("get", "/items/SKU-1")
    hidden = send("delete", "/items/SKU-1")

    assert [written.status_code, read.status_code, hidden.status_code] == [200, 200, 204]
    assert [read.json()["title"], read.json()["price_minor"]] == ["Boots", 5990]
    assert send("get", "/items/SKU-1").json()["is_active"] is False


def test_a_bulk_write_keeps_the_good_and_names_the_bad(send: Any) -> None:
    answer = send(
        "put",
        "/items",
        {
            "items": [
                {"item_id": "a", "title": "A"},
                {"title": "no id"},
                {"item_id": "b", "title": "B", "price": "cheap"},
                {"item_id": "c", "title": "C", "colr": "red"},
            ]
        },
    )

    assert [answer.status_code, answer.json()["created"]] == [200, 1]
    assert [bad["index"] for bad in answer.json()["rejected"]] == [1, 2, 3]
    assert [bad["field"] for bad in answer.json()["rejected"]] == [
        "items[1].item_id",
        "items[2].price",
        "items[3].colr",
    ]
    assert "'cheap'" in answer.json()["rejected"][1]["message"]


def test_what_a_write_leaves_out_stays_as_it_is(send: Any) -> None:
    full = {"title": "Boots", "price": 59.9, "currency": "EUR", "stock": 4, "tags": ["new"], "attributes": {"size": 42}}
    send("put", "/items/SKU-1", full)

    send("put", "/items", {"items": [{"item_id": "SKU-1", "sale_price": 49.9, "attributes": {"colour": "red"}}]})

    item = send("get", "/items/SKU-1").json()
    assert [item["title"], item["stock"], item["tags"]] == ["Boots", 4, ["new"]]
    assert [item["price"], item["sale_price"], item["price_minor"]] == [59.9, 49.9, 5990]
    assert item["attributes"] == {"size": 42, "colour": "red"}


def test_a_store_that_is_unavailable_is_a_503_that_names_no_host(send: Any, settings: Any) -> None:
    from features.store import connections

    settings.REDIS_URL = settings.EVENT_LOG_URL = "redis://127.0.0.1:1/0"
    connections.drop_clients()

    answer = send("get", "/users/u-1")

    assert [answer.status_code, answer.json()["error"]] == [503, "unavailable"]
    assert answer["Retry-After"]
    assert "127.0.0.1" not in answer.content.decode()


def test_a_body_that_is_no_json_or_too_large_is_refused(send: Any, shop: Shop) -> None:
    client = Client()
    headers = {"authorization": f"Bearer {shop.secret}"}
    statuses = [
        client.put("/v1/items", data=data, content_type="application/json", headers=headers).status_code
        for data in (b"{", b"[" * 100_000, b'{"items": [{"item_id": "a", "price": NaN}]}', b" " * 3_000_000)
    ]

    assert statuses == [400, 400, 400, 413]


def test_pages_hold_every_item_once(send: Any) -> None:
    send("put", "/items", {"items": [{"item_id": f"i{n:02}", "title": "T"} for n in range(25)]})

    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = send("get", f"/items?limit=10&after={after}").json()
        found += [item["item_id"] for item in page["items"]]
        after = page["next"]

    assert found == [f"i{n:02}" for n in range(25)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("get", "/items/nothing", None, 404, "unknown_item"),
        ("get", "/items?limit=0", None, 400, "invalid_request"),
        ("put", "/items/x", {"title": "T", "price": "cheap"}, 400, "invalid_item"),
        ("put", "/items", {"items": []}, 400, "invalid_request"),
        ("put", "/items", {"items": [{"item_id": "a"}], "more": 1}, 400, "invalid_request"),
        ("put", "/items/x", {"title": "T", "colr": "red"}, 400, "invalid_item"),
        ("put", "/items/x", {"title": "T", "item_id": "y"}, 400, "invalid_request"),
        ("put", "/items/x", {"title": "T", "stock": "1e999999999"}, 200, None),
        ("get", "/items?before=x", None, 400, "invalid_request"),
        ("get", "/items/a%00b", None, 400, "invalid_request"),
        ("get", "/users/u-1/history?limit=x", None, 400, "invalid_request"),
        ("get", "/users/u-1/history?after=yesterday", None, 400, "invalid_request"),
        ("get", "/users/u-1?anonymous_id=short", None, 400, "invalid_request"),
        ("get", "/users/u-1/erasure", None, 404, "not_erased"),
        ("get", "/explanations/r1.forged", None, 404, "unknown_rec_id"),
        ("get", "/nowhere", None, 404, "unknown_address"),
        ("post", "/items", {"items": []}, 405, "method_not_allowed"),
    ],
)
def test_errors_have_one_shape(send: Any, method: str, path: str, body: Any, status: int, error: str) -> None:
    answer = send(method, path, body)

    assert [answer.status_code, answer.json().get("error")] == [status, error]
    assert status == 200 or answer.json().keys() == {"error", "message", "field"}


def test_a_publishable_or_foreign_key_opens_nothing(send: Any, shop: Shop, second_shop: Shop) -> None:
    send("put", "/items/mine", {"title": "Mine"})

    publishable = send("get", "/items", key=shop.publishable)
    nobody = send("get", "/items", key="sk_" + "x" * 24)
    foreign = send("get", "/items/mine", key=second_shop.secret)

    assert [publishable.status_code, nobody.status_code, foreign.status_code] == [403, 401, 404]


def test_a_user_is_exported_and_erased_with_a_receipt(send: Any) -> None:
    exported = send("get", "/users/u-1")
    receipt = send("delete", "/users/u-1")

    assert exported.json()["user_keys"] == ["u:u-1"]
    assert receipt.json().keys() >= {"erased_at_ms", "redis", "database", "archive"}
    assert send("get", "/users/u-1/erasure").json() == receipt.json()


async def test_a_reply_is_explained_later_by_its_id(send: Any, shop: Shop) -> None:
    import asyncio

    await asyncio.to_thread(shop.add, "sku1")
    await asyncio.to_thread(shop.load)
    body = {"key": shop.secret, "placement": "home_new", "explain": True}
    result = (await call(recommend_application, json.dumps(body).encode())).json["results"][0]
    await asyncio.to_thread(explanation_log.keeper.flush)

    answer = await asyncio.to_thread(send, "get", f"/explanations/{result['rec_id']}")

    said = answer.json()
    assert said["items"] == [["sku1", "newest"]]
    assert said["explanation"]["items"][0]["sources"][0]["source"] == "newest"


def test_the_document_holds_every_path_and_the_hot_ones(send: Any) -> None:
    document = send("get", "/openapi.json").json()

    assert set(document["paths"]) >= {
        "/v1/recommendations", "/v1/recommendations/{placement}", "/v1/rank", "/v1/events", "/v1/items",
        "/v1/items/{item_id}", "/v1/users/{user_id}", "/v1/explanations/{rec_id}", "/v1/health",
    }  # fmt: skip
    request = document["components"]["schemas"]["RecommendRequest"]
    assert request["additionalProperties"] is False
    assert "placements" in request["properties"]
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in document["components"]["schemas"], reference
