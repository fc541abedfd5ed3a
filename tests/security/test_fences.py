"""No site reads, writes or learns of another: every route, every ordered pair of three sites.

The routes are taken from the code. One without a test here fails ``test_every_route_has_its_fence``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.urls import URLPattern, URLResolver, get_resolver

from features.models import Item
from features.stream.notify import announce_changed
from recommendations.http.recommend import public_application, rank_application, recommend_application
from recommendations.http.rest import SCOPE_OF, api
from recommendations.live.consumer import LiveConsumer
from recommendations.live.hub import close_hub
from recommendations.models import ReportHour
from recommendations.serving.user import close_reader
from recsite.asgi import http_routes, websocket_routes
from tests.recommendations.conftest import ANONYMOUS
from tests.security.conftest import USER, Tenant
from tests.tracking.asgi_client import call
from tests.tracking.conftest import an_event
from tracking.access.identity import sign_token
from tracking.collect.endpoint import Collector
from tracking.collect.live_events import LiveEvents
from tracking.contract.parsing import parse_record
from tracking.http.edge import HotPath
from tracking.http.quotas import Quotas
from tracking.log.memory import MemoryLog
from tracking.models import DeadLetter
from tracking.redis_client import connect

pytestmark = [pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]

Fence = Callable[[Tenant, Tenant], Any]
FENCES: dict[str, Fence] = {}

#: Routes that show nothing of any site, or only to staff, whom groups and the admin's own rights govern.
OPEN = {"livez", "readyz", "GET /v1/health", "v1/", "v1/docs", "v1/openapi.json", "metrics", "favicon.ico"}
NOTHING_THERE = r"v1/(?P{rest}(?s:.*))\Z"
"""Answers what is no route at all."""


def fences(*routes: str) -> Callable[[Fence], Fence]:
    def register(fence: Fence) -> Fence:
        FENCES.update(dict.fromkeys(routes, fence))
        return fence

    return register


def routes_in_code() -> set[str]:
    """Return every route: the hot ones and sockets, the typed API's operations, and whatever else Django answers."""
    asgi = {str(route.pattern) for route in (*http_routes, *websocket_routes)} - {""}
    operations = {
        f"{method.upper()} {path}" for path, found in api.get_openapi_schema()["paths"].items() for method in found
    }
    django = set(_django_routes(get_resolver().url_patterns, ""))
    return (
        asgi | operations | {route for route in django if not route.startswith("v1/")} | _outside_the_document(django)
    )


def _outside_the_document(django: set[str]) -> set[str]:
    documented = {path.removeprefix("/") for path in api.get_openapi_schema()["paths"]}
    plain = {route.replace("<path:", "<").replace("<", "{").replace(">", "}") for route in django}
    return {route for route in plain if route.startswith("v1/")} - documented


def _django_routes(patterns: Any, prefix: str) -> Any:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver) and not path.startswith("admin/"):
            yield from _django_routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern | URLResolver):
            yield path


def hot(route: str) -> str:
    """Return the route of an operation that ASGI answers, as the document spells it."""
    return {
        "POST /v1/recommendations": "v1/recommendations",
        "GET /v1/recommendations/{placement}": "v1/recommendations/<slug:placement>",
        "POST /v1/rank": "v1/rank",
        "POST /v1/events": "v1/events",
    }.get(route, route)


def is_open(route: str) -> bool:
    return route in OPEN or route == NOTHING_THERE or route.startswith(("admin/", "r/", "o/"))


def hides(text: str | bytes, owner: Tenant) -> bool:
    """Return whether nothing of the owner stands in an answer."""
    return owner.slug not in (text.decode() if isinstance(text, bytes) else text)


# --- hot paths ---------------------------------------------------------------------------------------------------


@fences("v1/events")
async def collect(owner: Tenant, intruder: Tenant) -> None:
    log = MemoryLog(name=f"fence-{owner.slug}-{intruder.slug}", partitions=2)

    class Durable:
        async def append_many(self, records: Any) -> list[None]:
            for key, value in records:
                await writer.append_many([(key, value)], timeout_s=1)
            return [None] * len(records)

    writer = log.writer()
    await writer.start()
    endpoint = HotPath(Collector(Durable(), quotas=Quotas(), live=LiveEvents()).collect, name="fence")  # type: ignore[arg-type]
    stolen = sign_token(owner.shop.site.token_secret, site=owner.slug, user_id=USER)
    borrowed = sign_token(intruder.shop.site.token_secret, site=owner.slug, user_id=USER)
    for token, warning in ((stolen, "user_token_invalid"), (borrowed, "user_token_wrong_site")):
        body = {
            "key": intruder.shop.publishable, "site": owner.slug, "anonymous_id": ANONYMOUS, "user_id": USER,
            "user_token": token, "sent_at": int(time.time() * 1000), "events": [an_event(site=owner.slug)],
        }  # fmt: skip
        answer = await call(endpoint, json.dumps(body).encode(), path=f"/v1/events?site={owner.slug}")
        assert answer.status == 202
        assert answer.json["warnings"] == [warning]
    written = [parse_record(one.value) for number in range(log.partitions) for one in log.read_range(number)]
    assert [(record.site, record.user_id) for record in written] == [(intruder.slug, None)] * 2


@fences("v1/recommendations")
async def recommend(owner: Tenant, intruder: Tenant) -> None:
    missing = await intruder.ask(recommend_application, {"placement": owner.own_placement})
    unheard = await intruder.ask(recommend_application, {"placement": "nobody-has-this"})
    assert (
        (missing.status, missing.json["error"]) == (404, "unknown_placement") == (unheard.status, unheard.json["error"])
    )
    assert missing.body.replace(owner.own_placement.encode(), b"nobody-has-this") == unheard.body

    body = {
        "user_id": USER, "anonymous_id": ANONYMOUS, "cart": [owner.own_item], "explain": True,
        "placements": [
            {"placement": "home_for_you", "limit": 8},
            {"placement": "product_similar", "context_items": [owner.own_item]},
            {"placement": "home_new", "filter": f'item_id == "{owner.own_item}"'},
        ],
    }  # fmt: skip
    answer = await intruder.ask(recommend_application, body)
    if answer.status == 400:  # the filter language has no such field
        body["placements"].pop()
        answer = await intruder.ask(recommend_application, body)
    assert answer.status == 200, answer.body
    shown = [item for result in answer.json["results"] for item in result["items"]]
    assert shown
    assert all(item["title"].endswith(f"of {intruder.slug}") for item in shown)
    refused = await intruder.ask(recommend_application, {"placement": "home_new", "site": owner.slug})
    assert (refused.status, refused.json["field"]) == (400, "site")


@fences("v1/recommendations/<slug:placement>")
async def recommend_public(owner: Tenant, intruder: Tenant) -> None:
    async def get(name: str, more: str = "") -> Any:
        query = f"key={intruder.shop.publishable}{more}".encode()
        return await call(public_application, method="GET", path=f"/v1/recommendations/{name}", query=query)

    assert (await get(owner.own_placement)).status == 404
    shared = await get("home_new", f"&context_items={owner.own_item}")
    assert shared.status == 200
    told = shared.json
    for result in told["results"]:  # which only says again what was sent
        assert "which the catalogue does not have" in result.pop("warnings")[0]
    assert hides(json.dumps(told).encode(), owner)
    assert (await get("home_new", f"&site={owner.slug}")).status == 400


@fences("v1/rank")
async def rank(owner: Tenant, intruder: Tenant) -> None:
    ids = [owner.own_item, "shared", intruder.own_item]
    answer = await intruder.ask(rank_application, {"items": ids, "user_id": USER, "explain": True})
    assert answer.status == 200
    [result] = answer.json["results"]
    assert {item["item_id"] for item in result["items"]} == {"shared", intruder.own_item}
    assert all(item["title"].endswith(f"of {intruder.slug}") for item in result["items"])
    refused = await intruder.ask(rank_application, {"items": ids, "placement": owner.own_placement})
    assert refused.status == 404


@fences("v1/live")
async def live(owner: Tenant, intruder: Tenant) -> None:
    scope = {"type": "websocket", "path": "/v1/live", "query_string": b"", "headers": [], "subprotocols": []}
    socket = ApplicationCommunicator(LiveConsumer.as_asgi(), {**scope, "client": ("203.0.113.7", 5000)})

    async def say(message: dict[str, Any]) -> None:
        await socket.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def hears() -> dict[str, Any]:
        answer = await socket.receive_output(3)
        assert answer["type"] == "websocket.send", answer
        found: dict[str, Any] = json.loads(answer["text"])
        return found

    await socket.send_input({"type": "websocket.connect"})
    await socket.receive_output(3)
    token = sign_token(owner.shop.site.token_secret, site=owner.slug, user_id=USER)
    hello = {"key": intruder.shop.publishable, "anonymous_id": ANONYMOUS, "user_id": USER, "user_token": token}
    await say({"type": "hello", **hello})
    assert (await hears())["warnings"] == ["user_token_invalid"]
    await say({"type": "subscribe", "placements": [{"placement": owner.own_placement}]})
    assert (await hears())["error"] == "unknown_placement"
    seen = {"home_new": owner.rec_id}
    await say({"type": "subscribe", "placements": [{"placement": "home_new"}], "seen": seen})
    update = await hears()
    assert update["type"] == "update"
    assert hides(json.dumps(update), owner)

    def owner_acts() -> None:
        client = connect(owner.shop.redis_url, timeout_s=2)
        announce_changed(client, {owner.slug: [f"a:{ANONYMOUS}", f"u:{USER}"]})
        client.close()

    await asyncio.to_thread(owner_acts)
    assert await socket.receive_nothing(timeout=0.3)
    await socket.send_input({"type": "websocket.disconnect", "code": 1001})
    await socket.wait(3)


# --- the typed API -----------------------------------------------------------------------------------------------


@fences("GET /v1/items")
def list_items(owner: Tenant, intruder: Tenant) -> None:
    for query in ("", f"?after={owner.own_item[:-1]}"):
        answer = intruder.api("get", f"/items{query}")
        assert answer.status_code == 200
        assert hides(answer.content, owner)
    assert intruder.api("get", f"/items?site={owner.slug}").json()["field"] == "site"


@fences("GET /v1/items/{item_id}")
def read_item(owner: Tenant, intruder: Tenant) -> None:
    assert intruder.api("get", f"/items/{owner.own_item}").status_code == 404
    assert intruder.api("get", "/items/shared").json()["title"] == f"shared of {intruder.slug}"


@fences("PUT /v1/items/{item_id}", "PUT /v1/items", "DELETE /v1/items/{item_id}")
def write_items(owner: Tenant, intruder: Tenant) -> None:
    before = list(Item.objects.filter(site=owner.shop.site).order_by("pk").values())
    assert intruder.api("delete", f"/items/{owner.own_item}").status_code == 404
    assert intruder.api("put", f"/items/{owner.own_item}", {"title": "Taken"}).status_code == 200
    rows = [{"item_id": "shared", "title": "Taken", "site": owner.slug}, {"item_id": owner.own_item, "title": "Taken"}]
    written = intruder.api("put", "/items", {"items": rows})
    assert [written.status_code, [bad["field"] for bad in written.json()["rejected"]]] == [200, ["items[0].site"]]
    assert intruder.api("delete", "/items/shared").status_code == 204
    assert list(Item.objects.filter(site=owner.shop.site).order_by("pk").values()) == before
    assert Item.objects.get(site=intruder.shop.site, item_id=owner.own_item).title == "Taken"


@fences("GET /v1/exchange-rates", "PUT /v1/exchange-rates", "DELETE /v1/exchange-rates")
def exchange_rates(owner: Tenant, intruder: Tenant) -> None:
    day = str(datetime.now(UTC).date())
    for tenant, rate in ((owner, 0.91), (intruder, 0.92)):
        rows = [{"day": day, "currency": "USD", "worth_in": "CHF", "rate": rate}]
        assert tenant.api("put", "/exchange-rates", {"rates": rows}).status_code == 200
    assert [row["rate"] for row in intruder.api("get", "/exchange-rates").json()["rates"]] == [0.92]
    rows = [{"day": day, "currency": "USD", "rate": 0.5, "site": owner.slug}]
    assert intruder.api("put", "/exchange-rates", {"rates": rows}).json()["field"] == "rates[0].site"
    assert intruder.api("delete", f"/exchange-rates?site={owner.slug}").json()["field"] == "site"
    assert intruder.api("delete", "/exchange-rates").json() == {"deleted": 1}
    assert [row["rate"] for row in owner.api("get", "/exchange-rates").json()["rates"]] == [0.91]
    assert owner.api("delete", "/exchange-rates").json() == {"deleted": 1}


@fences("GET /v1/reports")
def reports(owner: Tenant, intruder: Tenant) -> None:
    hour = int(time.time()) // 3_600 * 3_600
    ReportHour.objects.all().delete()
    ReportHour.objects.create(
        site=owner.shop.site, utc_day=hour // 86_400, hour=hour, placement=owner.own_placement, impressions=7
    )
    assert [row["impressions"] for row in owner.api("get", "/reports").json()["rows"] if row["impressions"]] == [7]
    for by in ("day", "placement", "item"):
        assert hides(intruder.api("get", f"/reports?by={by}&placement={owner.own_placement}").content, owner)
        assert not any(row["impressions"] for row in intruder.api("get", f"/reports?by={by}").json()["rows"])
    assert intruder.api("get", f"/reports?site={owner.slug}").json()["field"] == "site"


@fences("GET /v1/placements")
def list_placements(owner: Tenant, intruder: Tenant) -> None:
    names = {placement["name"] for placement in intruder.api("get", "/placements").json()}
    assert intruder.own_placement in names
    assert owner.own_placement not in names


@fences("GET /v1/users/{user_id}", "GET /v1/users/{user_id}/features", "GET /v1/users/{user_id}/history")
def read_user(owner: Tenant, intruder: Tenant) -> None:
    for path in ("", "/features", "/history"):
        mine = intruder.api("get", f"/users/{USER}{path}")
        assert mine.status_code == 200, mine.content
        assert hides(mine.content, owner)
    assert intruder.own_item in intruder.api("get", f"/users/{USER}/features").content.decode()


@fences("DELETE /v1/users/{user_id}", "GET /v1/users/{user_id}/erasure")
def erase_user(owner: Tenant, intruder: Tenant) -> None:
    before = owner.api("get", f"/users/{USER}").json()["features"]
    assert intruder.api("delete", f"/users/{USER}").status_code == 200
    assert owner.api("get", f"/users/{USER}").json()["features"] == before != {}
    receipts = [tenant.api("get", f"/users/{USER}/erasure").json() for tenant in (owner, intruder)]
    assert receipts[0] != receipts[1]
    now_ms = int(time.time() * 1000)
    intruder.shop.remember(intruder.own_item, now_ms=now_ms, user_key=f"u:{USER}")  # for the next pair


@fences("GET /v1/explanations/{rec_id}")
def explain(owner: Tenant, intruder: Tenant) -> None:
    assert owner.api("get", f"/explanations/{owner.rec_id}").status_code == 200
    stolen = intruder.api("get", f"/explanations/{owner.rec_id}")
    forged = intruder.api("get", f"/explanations/{owner.rec_id[:-4]}AAAA")
    assert [stolen.status_code, stolen.json()["error"]] == [404, "unknown_rec_id"]
    assert stolen.json() == forged.json()
    assert hides(stolen.content, owner)


# ------------------------------------------------------------------------------------------------------------------


def test_every_route_has_its_fence() -> None:
    found = {hot(route) for route in routes_in_code()}
    assert len(found) > 20
    unfenced = {route for route in found if route not in FENCES and not is_open(route)}
    assert not unfenced, f"write a fence test for {sorted(unfenced)}, or say in OPEN why it shows nothing of a site"
    assert set(FENCES) <= found, "fences of routes that are gone"


def test_every_operation_names_the_scope_that_opens_it() -> None:
    words = {path.split("/")[2] for path in api.get_openapi_schema()["paths"]} - {"health", "rank", "events"}
    assert words - {"recommendations"} == set(SCOPE_OF)


@pytest.mark.parametrize("route", sorted(FENCES))
async def test_no_site_crosses(route: str, tenants: list[Tenant]) -> None:
    try:
        for owner, intruder in itertools.permutations(tenants, 2):
            fence = FENCES[route]
            if asyncio.iscoroutinefunction(fence):
                await fence(owner, intruder)
            else:
                await asyncio.to_thread(fence, owner, intruder)
    finally:
        await close_hub()
        await close_reader()


async def test_an_erasure_takes_the_user_s_dead_letters_with_it(tenants: list[Tenant]) -> None:
    def erase() -> Any:
        for number, tenant in enumerate(tenants):
            DeadLetter.objects.create(
                site=tenant.shop.site, reason="x", raw=b"", fingerprint=str(number), origin="collect",
                key=f"{tenant.slug}/u:{USER}",
            )  # fmt: skip
        return tenants[0].api("delete", f"/users/{USER}").json()

    receipt = await asyncio.to_thread(erase)
    assert receipt["dead_letters"] == {"rows": 1}
    left = await asyncio.to_thread(lambda: set(DeadLetter.objects.values_list("site__slug", flat=True)))
    assert left == {tenants[1].slug, tenants[2].slug}
