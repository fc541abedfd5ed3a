"""Open pages over a WebSocket, against a real Redis: what is pushed, to whom, and what is refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from asgiref.testing import ApplicationCommunicator

from features.catalogue.site import watch_catalogue
from features.keys import CHANGED_CHANNEL
from features.stream.notify import announce_changed
from recommendations.core.deadline import Deadline
from recommendations.core.types import FallbackReason, RequestUser
from recommendations.http.recommend import recommend_application
from recommendations.live import consumer
from recommendations.live import page as live_page
from recommendations.live.consumer import MAX_MESSAGE_BYTES, LiveConsumer
from recommendations.live.hub import MAX_REFRESHES, SOCKETS_PER_ADDRESS, LiveHub, close_hub, hub
from recommendations.serving.admission import quotas
from recommendations.serving.user import close_reader, read_user
from recommendations.state.placements import watch_placements
from recommendations.state.site import watch_site
from tests.recommendations.conftest import ANONYMOUS, Shop
from tests.services.waiting import DEADLINE_S, stays_async, until_subscribed, wait_until_async
from tests.tracking.asgi_client import call
from tracking.access.identity import Identity, sign_token
from tracking.http.quotas import Quotas
from tracking.redis_client import connect

pytestmark = pytest.mark.redis
HOME = {"placement": "home_for_you", "limit": 4}


class OpenPage:
    """A browser's side of a socket."""

    def __init__(self, *, address: str = "203.0.113.7", **headers: str) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": "/v1/live", "query_string": b"", "headers": pairs, "subprotocols": []}
        self.socket = ApplicationCommunicator(LiveConsumer.as_asgi(), {**scope, "client": (address, 5000)})

    async def opens(self) -> None:
        await self.socket.send_input({"type": "websocket.connect"})
        assert (await self.socket.receive_output(DEADLINE_S))["type"] == "websocket.accept"

    async def leaves(self) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.socket.wait(3)

    async def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.socket.send_input({"type": "websocket.receive", "text": text})

    async def hears(self, timeout_s: float = DEADLINE_S) -> dict[str, Any]:
        answer = await self.socket.receive_output(timeout_s)
        assert answer["type"] == "websocket.send", answer
        return json.loads(answer["text"])

    async def closed_with(self) -> int:
        while True:
            answer = await self.socket.receive_output(DEADLINE_S)
            if answer["type"] == "websocket.close":
                return int(answer["code"])

    async def is_silent(self, for_s: float = 0.3) -> bool:
        return await self.socket.receive_nothing(timeout=for_s)


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(12):
        shop.add(f"sku{number}", category="Shoes" if number % 2 else "Hats")
    shop.load()
    return shop


@pytest_asyncio.fixture
async def open_page(stocked: Shop) -> AsyncIterator[Callable[..., Any]]:
    """Return a function that opens a page, says hello and subscribes to the home list."""
    pages: list[OpenPage] = []

    async def open_(subscribe: dict[str, Any] | None = None, **hello: Any) -> OpenPage:
        page = OpenPage()
        pages.append(page)
        await page.opens()
        await page.say({"type": "hello", "key": stocked.publishable, "anonymous_id": ANONYMOUS, **hello})
        assert (await page.hears())["type"] == "ready"
        await page.say({"type": "subscribe", "placements": [HOME], **(subscribe or {})})
        return page

    yield open_
    for page in pages:
        await page.leaves()
    await close_hub()
    await close_reader()


async def user_views(shop: Shop, *item_ids: str, cart: tuple[str, ...] = ()) -> None:
    """Do what the stream worker does after events: write the state, then announce."""

    def write() -> None:
        until_subscribed(shop.redis_url, CHANGED_CHANNEL)
        shop.remember(*item_ids, now_ms=int(time.time() * 1000), cart=cart)
        client = connect(shop.redis_url, timeout_s=2)
        announce_changed(client, {shop.site.slug: [f"a:{ANONYMOUS}"]})
        client.close()

    await asyncio.to_thread(write)


def listed(update: dict[str, Any], placement: str = "home_for_you") -> list[str]:
    """Return the items of one list of an update."""
    return [
        item["item_id"] for result in update["results"] if result["placement"] == placement for item in result["items"]
    ]


async def test_an_act_of_the_shopper_pushes_the_new_list(stocked: Shop, open_page: Any) -> None:
    page = await open_page()
    before = await page.hears()

    await user_views(stocked, "sku1", "sku3")
    after = await page.hears()

    assert after["version"] == before["version"] + 1
    assert listed(after) != listed(before)
    assert set(listed(after)) <= {f"sku{number}" for number in range(1, 12, 2)}


async def test_features_that_are_read_too_late_are_looked_at_again(
    stocked: Shop, open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    before = await page.hears()
    late = [FallbackReason.DEADLINE, FallbackReason.STORE_UNAVAILABLE]

    async def read(site: str, identity: Identity, *, deadline: Deadline) -> RequestUser:
        if late:
            return RequestUser(key=identity.user_key, problem=late.pop())
        return await read_user(site, identity, deadline=deadline)

    monkeypatch.setattr(live_page, "read_user", read)
    await user_views(stocked, "sku1", "sku3")
    after = await page.hears()

    assert not late
    assert after["version"] == before["version"] + 1, "nobody's list took the place of the one on the page"
    assert set(listed(after)) <= {f"sku{number}" for number in range(1, 12, 2)}


async def test_a_page_looks_again_so_often_and_then_waits_for_news(
    stocked: Shop, open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    await page.hears()
    await user_views(stocked, "sku1", "sku3")
    personal = await page.hears()
    looks, was_last = 0, asyncio.Event()

    async def read(site: str, identity: Identity, *, deadline: Deadline) -> RequestUser:
        nonlocal looks
        looks += 1
        if looks == len(consumer.LOOK_AGAIN_S) + 1:
            was_last.set()
        return RequestUser(key=identity.user_key, problem=FallbackReason.STORE_UNAVAILABLE)

    monkeypatch.setattr(consumer, "LOOK_AGAIN_S", (0.0, 0.0))
    monkeypatch.setattr(live_page, "read_user", read)
    await user_views(stocked, "sku5")
    await asyncio.wait_for(was_last.wait(), DEADLINE_S)
    nobodys = await page.hears()

    assert listed(nobodys) != listed(personal)
    assert await page.is_silent()
    assert looks == 3


async def test_what_is_put_into_the_cart_leaves_the_open_page(stocked: Shop, open_page: Any) -> None:
    page = await open_page()
    first = listed(await page.hears())[0]

    await user_views(stocked, first, cart=(first,))
    after = listed(await page.hears())

    assert len(after) == 4
    assert first not in after


async def test_what_did_not_change_is_not_sent(stocked: Shop, open_page: Any) -> None:
    page = await open_page({"placements": [{"placement": "home_new", "limit": 3}, HOME]})
    assert len((await page.hears())["results"]) == 2

    await user_views(stocked, "sku1", "sku3")

    assert [result["placement"] for result in (await page.hears())["results"]] == ["home_for_you"]


async def test_another_users_event_wakes_nobody(stocked: Shop, open_page: Any) -> None:
    page = await open_page(anonymous_id="f" * 32)
    await page.hears()

    await user_views(stocked, "sku1", "sku3")

    assert await page.is_silent()


async def test_a_page_that_shows_the_newest_list_already_hears_nothing(stocked: Shop, open_page: Any) -> None:
    body = json.dumps({"key": stocked.publishable, "anonymous_id": ANONYMOUS, "placements": [HOME]}).encode()
    rec_id = (await call(recommend_application, body)).json["results"][0]["rec_id"]

    page = await open_page({"seen": {"home_for_you": rec_id}})

    assert await page.is_silent()


async def test_a_page_that_missed_an_act_while_away_hears_of_it(stocked: Shop, open_page: Any) -> None:
    body = json.dumps({"key": stocked.publishable, "anonymous_id": ANONYMOUS, "placements": [HOME]}).encode()
    rec_id = (await call(recommend_application, body)).json["results"][0]["rec_id"]
    await asyncio.to_thread(stocked.remember, "sku1", "sku3", now_ms=int(time.time() * 1000))

    page = await open_page({"seen": {"home_for_you": rec_id}})

    assert listed(await page.hears())


async def test_an_item_that_sells_out_leaves_the_page(stocked: Shop, open_page: Any) -> None:
    page = await open_page()
    shown = listed(await page.hears())
    await hub().look()  # what the hub knows before

    def sell_out() -> None:
        item = stocked.items[shown[0]]
        item.stock = 0
        item.save()
        watch_catalogue(stocked.site.slug).reload()
        watch_site(stocked.site.slug).reload()

    await asyncio.to_thread(sell_out)

    assert shown[0] not in listed(await page.hears())


async def test_a_published_rule_reaches_the_page(stocked: Shop, open_page: Any) -> None:
    from recommendations.models import Rule
    from recommendations.state.placements import publish

    page = await open_page()
    shown = listed(await page.hears())
    await hub().look()

    def publish_rule() -> None:
        publish(Rule.objects.create(site=stocked.site, name="No hats", action="exclude", items=[shown[0]]))
        watch_placements(stocked.site.slug).reload()

    await asyncio.to_thread(publish_rule)

    assert shown[0] not in listed(await page.hears())


@pytest.mark.parametrize(
    ("message", "error", "field"),
    [
        ("{", "invalid_request", "body"),
        (
            {"type": "subscribe", "placements": [{"placement": "nowhere"}]},
            "unknown_placement",
            "placements[0].placement",
        ),
        ({"type": "shout"}, "invalid_request", "type"),
        ({"type": "subscribe", "placements": [HOME, HOME]}, "invalid_request", "placements"),
    ],
)
async def test_a_wrong_message_is_told_what_is_wrong(open_page: Any, message: Any, error: str, field: str) -> None:
    page = await open_page()
    await page.hears()

    await page.say(message)

    answer = await page.hears()
    assert [answer["type"], answer["error"], answer["field"]] == ["error", error, field]


async def test_a_flood_is_closed_with_1008_and_a_giant_with_1009(open_page: Any) -> None:
    flood, giant = await open_page(), await open_page()
    for _ in range(30):
        await flood.say({"type": "ping"})
    await giant.say("x" * (MAX_MESSAGE_BYTES + 1))

    assert [await flood.closed_with(), await giant.closed_with()] == [1008, 1009]


async def test_a_foreign_page_and_an_unknown_key_are_closed(stocked: Shop) -> None:
    def restrict() -> None:
        stocked.site.origins = ["https://www.shop.example"]
        stocked.site.save()
        stocked.load()

    await asyncio.to_thread(restrict)
    foreign, unknown = OpenPage(origin="https://evil.example"), OpenPage()
    await foreign.opens()
    await unknown.opens()
    await foreign.say({"type": "hello", "key": stocked.publishable})
    await unknown.say({"type": "hello", "key": "pk_" + "x" * 24})

    assert [(await foreign.hears())["error"], await foreign.closed_with()] == ["origin_not_allowed", 1008]
    assert [(await unknown.hears())["error"], await unknown.closed_with()] == ["unknown_key", 1008]


async def test_a_revoked_key_closes_its_sockets(stocked: Shop, open_page: Any) -> None:
    from tracking.access import sites
    from tracking.models import ApiKey

    page = await open_page()
    await page.hears()

    def revoke() -> None:
        sites.revoke(ApiKey.objects.get(site=stocked.site, kind="pk"))
        sites.keys.reload()

    await asyncio.to_thread(revoke)

    assert await page.closed_with() == 1008


async def test_a_restart_closes_with_1012(open_page: Any) -> None:
    page = await open_page()
    await page.hears()

    await close_hub()

    assert await page.closed_with() == 1012


async def test_an_unknown_placement_keeps_no_other_list_from_the_page(stocked: Shop, open_page: Any) -> None:
    page = await open_page({"placements": [{"placement": "nowhere"}, HOME]})
    heard = [await page.hears(), await page.hears()]

    said = next(message for message in heard if message["type"] == "error")
    assert [said["error"], said["field"]] == ["unknown_placement", "placements[0].placement"]
    assert len(listed(next(message for message in heard if message["type"] == "update"))) == 4


async def test_a_token_that_expires_makes_an_open_page_anonymous(stocked: Shop, open_page: Any, settings: Any) -> None:
    def give_secret() -> None:
        stocked.site.token_secret = "s" * 40
        stocked.site.save()
        stocked.load()

    await asyncio.to_thread(give_secret)
    token = sign_token("s" * 40, site=stocked.site.slug, user_id="u-7", ttl_s=-28)  # 2 s, with the clocks' leeway
    page = await open_page(user_id="u-7", user_token=token)
    shown = listed(await page.hears())

    expired = await page.hears(6)

    assert shown
    assert (stocked.site.slug, "u:u-7") not in hub()._by_user, "the user's events wake it no longer"
    assert expired == {"type": "ready", "warnings": ["user_token_expired"]}
    await user_views(stocked, "sku1", "sku3")
    assert listed(await page.hears()) != shown, "from here on the page follows its anonymous id"


async def test_a_new_token_makes_the_page_the_users_again(stocked: Shop, open_page: Any) -> None:
    def give_secret() -> None:
        stocked.site.token_secret = "s" * 40
        stocked.site.save()
        stocked.load()

    await asyncio.to_thread(give_secret)
    page = await open_page()
    await page.hears()
    token = sign_token("s" * 40, site=stocked.site.slug, user_id="u-7")

    await page.say({"type": "hello", "key": stocked.publishable, "anonymous_id": ANONYMOUS, "user_token": token})

    assert await page.hears() == {"type": "ready", "warnings": []}


async def test_lists_that_are_being_made_when_somebody_else_says_hello_are_thrown_away(
    stocked: Shop, open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    await page.hears()
    under_way, goes_on, make_lists = asyncio.Event(), asyncio.Event(), live_page.make_lists

    async def made_when_told(*arguments: Any, **options: Any) -> Any:
        results = await make_lists(*arguments, **options)
        under_way.set()
        await goes_on.wait()
        return results

    monkeypatch.setattr(live_page, "make_lists", made_when_told)
    await user_views(stocked, "sku1", "sku3")
    async with asyncio.timeout(DEADLINE_S):
        await under_way.wait()
    stranger = ANONYMOUS[::-1]
    await page.say({"type": "hello", "key": stocked.publishable, "anonymous_id": stranger})
    ready = await page.hears()
    goes_on.set()
    first = listed(await page.hears())

    assert ready["type"] == "ready"
    assert (stocked.site.slug, f"a:{stranger}") in hub()._by_user
    other = await open_page(anonymous_id=stranger)
    assert first == listed(await other.hears()), "the first list after another hello is the newcomer's"


async def test_a_rule_begins_and_ends_on_open_pages_by_its_schedule(stocked: Shop, open_page: Any) -> None:
    from datetime import UTC, datetime, timedelta

    from recommendations.models import Rule
    from recommendations.state.placements import publish

    page = await open_page()
    shown = listed(await page.hears())
    await hub().look()
    starts_at = datetime.now(UTC) + timedelta(seconds=3)

    def publish_rule() -> None:
        rule = Rule(site=stocked.site, name="An hour", action="exclude", items=[shown[0]], starts_at=starts_at)
        rule.ends_at = starts_at + timedelta(seconds=3)
        rule.save()
        publish(rule)
        watch_placements(stocked.site.slug).reload()

    await asyncio.to_thread(publish_rule)

    during = listed(await page.hears())
    began_after_s = time.time() - starts_at.timestamp()
    after = listed(await page.hears())
    assert shown[0] not in during
    assert began_after_s >= 0
    assert after == shown


async def test_an_address_has_so_many_sockets_and_no_more_whether_they_say_hello_or_not(stocked: Shop) -> None:
    here = [OpenPage() for _ in range(SOCKETS_PER_ADDRESS)]
    for page in here:
        await page.opens()
    one_more, elsewhere = OpenPage(), OpenPage(address="203.0.113.8")
    await one_more.opens()
    await elsewhere.opens()

    assert await one_more.closed_with() == 1013
    assert await elsewhere.is_silent()
    await here[0].leaves()
    again = OpenPage()
    await again.opens()
    assert await again.is_silent()
    for page in (*here[1:], again, elsewhere, one_more):
        await page.leaves()
    await close_hub()


class SlowPage:
    """A socket whose network takes nothing more until ``reads`` is set, as a full buffer does."""

    def __init__(self, shop: Shop) -> None:
        self.reads = asyncio.Event()
        self.is_stuck = asyncio.Event()
        self.got: list[dict[str, Any]] = []
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        hello = {"type": "hello", "key": shop.publishable, "anonymous_id": ANONYMOUS}
        for message in (hello, {"type": "subscribe", "placements": [HOME]}):
            self._said.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})
        scope = {"type": "websocket", "path": "/v1/live", "query_string": b"", "headers": [], "subprotocols": []}
        scope["client"] = ("203.0.113.9", 5000)
        self._connects = True
        self.task = asyncio.create_task(LiveConsumer.as_asgi()(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._connects:
            self._connects = False
            return {"type": "websocket.connect"}
        return await self._said.get()

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send" and '"update"' in message["text"]:
            self.is_stuck.set()
            await self.reads.wait()
            self.got.append(json.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.got.append(message)

    async def leaves(self) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self.task, DEADLINE_S)


async def test_a_slow_reader_gets_the_newest_list_and_none_of_those_between(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = 0
    wake = LiveHub.features_changed

    def counted(hub: LiveHub, changed: Any) -> None:
        nonlocal heard
        wake(hub, changed)
        heard += 1

    monkeypatch.setattr(LiveHub, "features_changed", counted)
    page = SlowPage(stocked)
    await asyncio.wait_for(page.is_stuck.wait(), DEADLINE_S)
    for number in range(6):
        await user_views(stocked, f"sku{number}", f"sku{number + 2}")
        await wait_until_async(lambda number=number: heard > number, "the hub to hear of it")

    page.reads.set()
    await wait_until_async(lambda: len(page.got) >= 2, "the newest list")

    assert await stays_async(lambda: len(page.got) == 2, for_s=0.3), "the one that was stuck, and the newest"
    last = await call(
        recommend_application,
        json.dumps({"key": stocked.publishable, "anonymous_id": ANONYMOUS, "placements": [HOME]}).encode(),
    )
    assert listed(page.got[1]) == [item["item_id"] for item in last.json["results"][0]["items"]]
    await page.leaves()
    await close_hub()
    await close_reader()


async def test_slow_readers_keep_nobody_else_waiting(stocked: Shop, open_page: Any) -> None:
    slow = [SlowPage(stocked) for _ in range(2 * MAX_REFRESHES)]
    page = await open_page()
    await page.hears()
    for each in slow:
        await asyncio.wait_for(each.is_stuck.wait(), DEADLINE_S)

    await user_views(stocked, "sku1", "sku3")

    assert listed(await page.hears())
    for each in slow:
        each.reads.set()
        await each.leaves()


async def test_who_reads_too_slowly_is_closed(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "SEND_WITHIN_S", 0.2)
    page = SlowPage(stocked)

    await wait_until_async(lambda: page.got, "the page to be closed")
    assert [message["code"] for message in page.got] == [1008]
    await page.leaves()
    await close_hub()
    await close_reader()


@pytest.fixture
def six_a_minute(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(quotas, "quotas", Quotas())
    stocked.site.requests_per_minute = 6
    stocked.site.save()
    stocked.load()
    return stocked


async def test_subscriptions_count_and_one_networks_leave_the_others_theirs(six_a_minute: Shop) -> None:

    async def subscribed(address: str, times: int) -> list[str]:
        page = OpenPage(address=address)
        await page.opens()
        await page.say({"type": "hello", "key": six_a_minute.publishable})
        heard = [(await page.hears())["type"]]
        for number in range(times):
            await page.say({"type": "subscribe", "placements": [{**HOME, "limit": number + 1}]})
            answer = await page.hears()
            heard.append(answer.get("error") or answer["type"])
        await page.leaves()
        return heard

    assert await subscribed("203.0.113.7", 8) == ["ready", *["update"] * 6, *["quota_exceeded"] * 2]
    assert await subscribed("203.0.113.8", 1) == ["ready", "quota_exceeded"]
    for user in ("198.51.100.1", "192.0.2.1"):
        assert await subscribed(user, 2) == ["ready", "update", "update"]
    await close_hub()
    await close_reader()
