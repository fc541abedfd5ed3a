"""The hot endpoints as ASGI applications, against a real Redis."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from recommendations.core.types import FallbackReason
from recommendations.http import recommend
from recommendations.http.recommend import public_application, rank_application, recommend_application
from recommendations.serving import filters, service
from recommendations.serving.admission import quotas, turns
from recommendations.serving.admission.turns import Sender
from recommendations.serving.rec_ids import signer
from tests.recommendations.conftest import ANONYMOUS, Shop
from tests.services.waiting import wait_until_async
from tests.tracking.asgi_client import Answered, call
from tracking.http.quotas import Quotas

pytestmark = pytest.mark.redis


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(30):
        shop.add(f"sku{number}", category="Shoes" if number % 2 else "Hats", price_minor=100 * (number + 1))
    shop.load()
    return shop


async def request_lists(shop: Shop, body: dict[str, Any] | bytes, *, key: str | None = None) -> Answered:
    raw = body if isinstance(body, bytes) else json.dumps({"key": key or shop.publishable, **body}).encode()
    return await call(recommend_application, raw, path="/v1/recommendations")


async def test_a_new_shopper_gets_popular_items_and_the_reason(stocked: Shop) -> None:
    answer = await request_lists(stocked, {"placements": [{"placement": "home_for_you", "limit": 5}]})

    assert answer.status == 200
    result = answer.json["results"][0]
    assert [result["stage"], result["fallback_reason"], len(result["items"])] == ["popular", "no_model", 5]
    assert result["items"][0].keys() >= {"item_id", "title", "url", "image_url", "price", "currency", "reason"}
    assert answer.json["live_url"] == "/v1/live"


async def test_what_the_shopper_saw_leads_to_items_like_it(stocked: Shop) -> None:
    stocked.remember("sku1", "sku3", now_ms=int(time.time() * 1000))

    answer = await request_lists(stocked, {"anonymous_id": ANONYMOUS, "placement": "home_for_you", "limit": 6})

    result = answer.json["results"][0]
    assert result["stage"] == "personalised"
    assert {item["category"] for item in result["items"]} == {"Shoes"}
    assert 0 <= result["feature_age_ms"] < 60_000


async def test_the_rec_id_says_which_list_it_was(stocked: Shop) -> None:
    answer = await request_lists(stocked, {"placement": "home_new"})

    said = signer().read(answer.json["results"][0]["rec_id"], site=stocked.site.slug)
    assert [said.placement, said.variant] == ["home_new", "live"]


async def test_lists_of_one_page_share_no_item(stocked: Shop) -> None:
    answer = await request_lists(
        stocked,
        {"placements": [{"placement": "home_trending", "limit": 8}, {"placement": "home_new", "limit": 8}]},
    )

    first, second = ([item["item_id"] for item in result["items"]] for result in answer.json["results"])
    assert len(first) == len(second) == 8
    assert not set(first) & set(second)


async def test_one_unknown_placement_does_not_blank_the_others(stocked: Shop) -> None:
    wanted = ["home_new", "nowhere", "home_trending"]

    answer = await request_lists(stocked, {"placements": [{"placement": name, "limit": 3} for name in wanted]})

    assert answer.status == 200
    results = answer.json["results"]
    assert [result["placement"] for result in results] == wanted
    assert [len(result["items"]) for result in results] == [3, 0, 3]
    assert results[1].keys() == {"placement", "items", "error", "message", "field"}
    assert results[1]["error"] == "unknown_placement"
    assert "'nowhere'" in results[1]["message"]


@pytest.mark.parametrize(
    ("wrong", "field", "value"),
    [
        ({"limit": 101}, "limit", "101"),
        ({"limit": 0}, "limit", "0"),
        ({"limit": "four"}, "limit", '"four"'),
        ({"context_items": ["sku1", ""]}, "context_items[1]", ""),
        ({"context_items": "sku1"}, "context_items", '"sku1"'),
        ({"filter": "price <"}, "filter", '"price <"'),
        ({"filter": "margin > 1"}, "filter", "margin"),
        ({"limt": 3}, "limt", "3"),
        ({"exclude": [7]}, "exclude[0]", "7"),
    ],
)
async def test_a_wrong_list_says_so_in_its_place_and_the_others_are_made(
    stocked: Shop, wrong: dict[str, Any], field: str, value: str
) -> None:
    placements = [
        {"placement": "home_new", "limit": 3},
        {"placement": "home_for_you", **wrong},
        {"placement": "nowhere"},
        {"placement": "home_trending", "limit": 2},
    ]

    answer = await request_lists(stocked, {"placements": placements})

    assert answer.status == 200
    results = answer.json["results"]
    assert [result["placement"] for result in results] == [each["placement"] for each in placements]
    assert [len(result["items"]) for result in results] == [3, 0, 0, 2]
    assert [results[1]["error"], results[1]["field"]] == ["invalid_request", field]
    assert field in results[1]["message"]
    assert value in results[1]["message"]
    alone = await request_lists(stocked, {"placements": [placements[1]]})
    assert [alone.status, alone.json["error"]] == [400, "invalid_request"]


async def test_item_ids_that_the_catalogue_does_not_have_are_named_with_their_list(stocked: Shop) -> None:
    placements = [{"placement": "home_new"}, {"placement": "home_for_you", "context_items": ["sku1", "typo"]}]

    answer = await request_lists(stocked, {"placements": placements, "cart": [f"gone{n}" for n in range(7)]})

    (cart,), (context, _) = (result["warnings"] for result in answer.json["results"])
    assert "'typo'" in context
    assert "sku1" not in context
    assert "'gone4' and 2 more" in cart


@pytest.mark.parametrize(
    ("body", "status", "error", "field"),
    [
        (
            {"placements": [{"placement": "nowhere"}, {"placement": "no"}]},
            404,
            "unknown_placement",
            "placements[0].placement",
        ),
        ({"placements": [{"placement": "nowhere"}]}, 404, "unknown_placement", "placements[0].placement"),
        ({"placement": "nowhere"}, 404, "unknown_placement", "placement"),
        ({"placement": "home_new", "limt": 3}, 400, "invalid_request", "limt"),
        ({"placement": "home_new", "limit": 0}, 400, "invalid_request", "limit"),
        ({}, 400, "invalid_request", "placements"),
        ({"placement": "home_new", "filter": "price <"}, 400, "invalid_request", "filter"),
        ({"placement": "home_new", "filter": "margin > 0.2"}, 400, "invalid_request", "filter"),
        ({"placement": "home_new", "explain": True}, 403, "secret_key_needed", "explain"),
        (b"{", 400, "invalid_request", "body"),
        (b"[" * 100_00, 400, "invalid_request", "body"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(
    stocked: Shop, body: Any, status: int, error: str, field: str
) -> None:
    answer = await request_lists(stocked, body)

    assert [answer.status, answer.json["error"], answer.json["field"]] == [status, error, field]
    assert answer.json["message"]


async def test_a_key_reads_its_own_site_only(stocked: Shop, second_shop: Shop) -> None:
    second_shop.remember("sku1", "sku3", now_ms=int(time.time() * 1000))

    theirs = await request_lists(second_shop, {"anonymous_id": ANONYMOUS, "placement": "home_for_you"})
    ours = await request_lists(stocked, {"anonymous_id": ANONYMOUS, "placement": "home_for_you"})
    nobody = await request_lists(stocked, {"placement": "home_new"}, key="pk_" + "x" * 24)

    assert theirs.json["results"][0]["items"] == []  # they have no items; ours must not appear
    assert ours.json["results"][0]["feature_age_ms"] is None  # and their shopper is not ours
    assert nobody.status == 401


async def test_a_filter_keeps_only_what_matches(stocked: Shop) -> None:
    answer = await request_lists(
        stocked, {"placement": "home_trending", "filter": 'price <= 10 and category under "Shoes"'}
    )

    items = answer.json["results"][0]["items"]
    assert sorted(item["item_id"] for item in items) == ["sku1", "sku3", "sku5", "sku7", "sku9"]


async def test_fields_choose_what_items_say(stocked: Shop) -> None:
    answer = await request_lists(stocked, {"placement": "home_new", "limit": 1, "fields": ["item_id", "price"]})

    assert answer.json["results"][0]["items"][0].keys() == {"item_id", "price"}


async def test_rank_orders_what_it_is_given_and_adds_nothing(stocked: Shop) -> None:
    stocked.remember("sku1", now_ms=int(time.time() * 1000))
    body = {"key": stocked.publishable, "anonymous_id": ANONYMOUS, "items": ["sku2", "sku4", "sku3", "gone"]}

    answer = await call(rank_application, json.dumps(body).encode(), path="/v1/rank")

    listed = [item["item_id"] for item in answer.json["results"][0]["items"]]
    assert sorted(listed) == ["sku2", "sku3", "sku4"]
    assert listed[0] == "sku3"  # of the category that was looked at


async def test_a_public_list_is_cacheable_and_not_sent_twice(stocked: Shop) -> None:
    query = f"key={stocked.publishable}&context_items=sku1&limit=4".encode()
    path = "/v1/recommendations/product_similar"

    first = await call(public_application, method="GET", path=path, query=query)
    etag = first.header("etag")
    assert etag is not None
    second = await call(public_application, method="GET", path=path, query=query, headers={"if-none-match": etag})

    assert [first.status, second.status, second.body] == [200, 304, b""]
    assert "s-maxage=60" in (first.header("cache-control") or "")
    assert "stale-while-revalidate" in (first.header("cache-control") or "")


async def test_all_who_did_nothing_yet_share_one_list_and_nobody_who_did(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str | None] = []
    real = service.make_lists_now

    def counting(*arguments: Any) -> Any:
        made.append(arguments[2].key)
        return real(*arguments)

    monkeypatch.setattr(service, "make_lists_now", counting)
    stocked.remember("sku1", now_ms=int(time.time() * 1000))
    strangers = [f"{number:032x}" for number in range(20)]

    answers = [
        (await request_lists(stocked, {"anonymous_id": who, "placement": "home_for_you"})).json["results"][0]
        for who in (*strangers, ANONYMOUS)
    ]

    assert made == [f"a:{strangers[0]}", f"a:{ANONYMOUS}"]
    assert len({answer["rec_id"] for answer in answers}) == 21, "each reply has an id of its own"
    assert len({tuple(item["item_id"] for item in answer["items"]) for answer in answers[:20]}) == 1


async def test_what_came_too_late_is_made_once_and_kept(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = service.make_lists_now
    on_threads: Counter[FallbackReason | None] = Counter()  # a late read of features makes it another list

    def slow(*arguments: Any) -> Any:
        if threading.current_thread().name.startswith("pipeline"):
            on_threads[arguments[2].problem] += 1
            time.sleep(0.15)  # sleep: a pipeline that is slower than the budget
            return real(*arguments)
        made = real(*arguments)  # what is answered when the budget is spent, as it is with a model
        return (replace(made[0], fallback_reason=FallbackReason.DEADLINE),)

    monkeypatch.setattr(service, "make_lists_now", slow)
    body = {"anonymous_id": ANONYMOUS, "placement": "home_for_you", "budget_ms": 20}

    hurried = [(await request_lists(stocked, body)).json["results"][0] for _ in range(3)]

    async def in_time() -> dict[str, Any] | None:
        answer = (await request_lists(stocked, body)).json["results"][0]
        return answer if answer["fallback_reason"] != "deadline" else None

    at_leisure = await wait_until_async(in_time, "the kept list")
    assert at_leisure is not None
    assert [each["fallback_reason"] for each in hurried] == ["deadline"] * 3
    assert at_leisure["fallback_reason"] != "deadline"
    assert set(on_threads.values()) == {1}


@pytest.mark.parametrize(
    ("said", "status"),
    [("W/{etag}", 304), ('"old", {etag}', 304), ("*", 304), ('"old"', 200), ("", 200)],
)
async def test_a_copy_is_known_by_its_tag_however_it_is_said(stocked: Shop, said: str, status: int) -> None:
    path, query = "/v1/recommendations/home_new", f"key={stocked.publishable}".encode()
    etag = (await call(public_application, method="GET", path=path, query=query)).header("etag") or ""

    headers = {"if-none-match": said.format(etag=etag)}
    again = await call(public_application, method="GET", path=path, query=query, headers=headers)

    assert again.status == status


async def test_only_lists_whose_address_names_the_key_are_for_shared_caches(stocked: Shop) -> None:
    path, query = "/v1/recommendations/home_new", f"key={stocked.publishable}".encode()

    async def cache_control(query: bytes, **headers: str) -> str:
        answer = await call(public_application, method="GET", path=path, query=query, headers=headers)
        assert answer.status == 200
        return (answer.header("cache-control") or "").partition(",")[0]

    assert await cache_control(query) == "public"
    assert await cache_control(b"", authorization=f"Bearer {stocked.publishable}") == "private"
    assert await cache_control(b"", **{"x-api-key": stocked.publishable}) == "private"
    assert await cache_control(query, authorization=f"Bearer {stocked.secret}") == "private"


async def test_a_head_says_what_a_get_would(stocked: Shop) -> None:
    path, query = "/v1/recommendations/home_new", f"key={stocked.publishable}".encode()
    got = await call(public_application, method="GET", path=path, query=query)

    asked = await call(public_application, method="HEAD", path=path, query=query)

    assert [asked.status, asked.header("etag")] == [200, got.header("etag")]


async def test_no_request_touches_the_database(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.backends.utils import CursorWrapper

    statements: list[str] = []

    def refuse(self: Any, sql: str, params: Any = None) -> None:
        statements.append(sql)
        raise AssertionError(f"SQL on the hot path: {sql}")

    stocked.remember("sku1", now_ms=int(time.time() * 1000))
    with monkeypatch.context() as guard:
        guard.setattr(CursorWrapper, "execute", refuse)
        guard.setattr(CursorWrapper, "executemany", refuse)
        answers = [
            await request_lists(
                stocked, {"anonymous_id": ANONYMOUS, "placement": "home_for_you", "filter": "price < 20"}
            ),
            await request_lists(stocked, {"placement": "home_for_you", "explain": True}, key=stocked.secret),
            await call(
                public_application,
                method="GET",
                path="/v1/recommendations/home_new",
                query=f"key={stocked.publishable}".encode(),
            ),
        ]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert statements == []


async def test_filters_that_cost_too_much_are_refused_to_pages_and_not_to_the_shops_server(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MAX_PRICE", 30.0)
    body = {"placement": "home_for_you", "filter": 'category = "Hats" or price < 3 or price > 9'}

    refused = await request_lists(stocked, body)
    assert [refused.status, refused.json["error"], refused.json["field"]] == [400, "filter_too_expensive", "filter"]
    assert (await request_lists(stocked, body, key=stocked.secret)).status == 200


async def test_who_invents_filters_spends_the_quota_of_their_address(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, int]] = []
    monkeypatch.setattr(quotas.quotas, "take", lambda quota, _, amount, **__: taken.append((quota, amount)))
    monkeypatch.setattr(quotas, "PRICE_OF_A_REQUEST_US", 5.0)
    body = {"placement": "home_for_you", "filter": "price < 7 and price > 2"}
    for _ in range(2):
        await request_lists(stocked, body)

    counted = Counter(quota for quota, _ in taken)
    assert counted == {"requests of an address": 3, "recommendation requests": 2}, "the second one's mask is at hand"
    assert max(amount for _, amount in taken) >= 4


async def test_lists_beyond_the_price_of_a_request_say_so_in_their_place_to_pages_only(stocked: Shop) -> None:
    about = [{"placement": "product_also_viewed", "context_items": [f"sku{n}"], "limit": 2} for n in range(19)]
    body = {"placements": [{"placement": "nowhere"}, *about]}

    results = (await request_lists(stocked, body)).json["results"]

    assert [each["placement"] for each in results] == ["nowhere"] + ["product_also_viewed"] * 19
    problems = [each.get("error") for each in results]
    assert problems[:3] == ["unknown_placement", None, None]
    assert problems[-1] == "list_too_expensive"
    assert problems == sorted(problems, key=lambda each: (each != "unknown_placement", each or ""))
    to_the_server = (await request_lists(stocked, body, key=stocked.secret)).json["results"]
    assert [each.get("error") for each in to_the_server] == ["unknown_placement"] + [None] * 19


async def test_filters_that_are_too_long_together_are_refused_unread_to_pages(stocked: Shop) -> None:
    def body(n: int) -> dict[str, Any]:
        texts = [f"price < {number} or item_id in ({', '.join(['1'] * 500)})" for number in range(n)]
        return {"placements": [{"placement": "home_new", "filter": text} for text in texts * 2]}

    refused = await request_lists(stocked, body(3))
    assert [refused.status, refused.json["error"], refused.json["field"]] == [400, "filter_too_expensive", "placements"]
    assert (await request_lists(stocked, body(2))).status == 200, "the same filter counts once"
    assert (await request_lists(stocked, body(3), key=stocked.secret)).status == 200


async def test_an_address_whose_lists_took_too_long_waits_while_others_pass(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "BURST_S", 0.0005)
    slow = Sender("shop:203.0.113.1", 1)
    monkeypatch.setattr(recommend, "turn_of", lambda request, _: replace(slow, name=request.address))
    body = json.dumps({"key": stocked.publishable, "placement": "home_new", "limit": 9}).encode()

    async def answer(address: str, number: int) -> Answered:
        varied = body.replace(b'"limit": 9', b'"limit": %d' % number)
        return await call(recommend_application, varied, path="/v1/recommendations", client=address)

    first = [await answer("203.0.113.1", number) for number in range(1, 6)]
    assert first[0].status == 200
    assert 429 in [each.status for each in first]
    refused = next(each for each in first if each.status == 429)
    assert refused.json["error"] == "quota_exceeded"
    assert int(refused.header("retry-after") or 0) >= 1
    assert (await answer("203.0.113.2", 8)).status == 200


@pytest.fixture
def forty_a_minute(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(quotas, "quotas", Quotas())
    stocked.site.requests_per_minute, stocked.site.address_requests_per_minute = 40, 0
    stocked.site.save()
    stocked.load()
    return stocked


async def test_ten_users_are_served_after_one_address_spent_the_keys_quota(forty_a_minute: Shop) -> None:
    body = json.dumps({"key": forty_a_minute.publishable, "placement": "home_new"}).encode()

    async def status(address: str) -> int:
        return (await call(recommend_application, body, path="/v1/recommendations", client=address)).status

    flood = Counter([await status(f"203.0.113.{number % 200}") for number in range(200)])
    users = Counter([await status(f"198.51.{number % 10}.7") for number in range(30)])

    assert flood == {200: 40, 429: 160}, "one network alone has the quota, from however many addresses"
    assert users == {200: 30}
