"""Open pages of two web processes: what is done at one, or changed in a third, reaches the pages of both."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import websockets
from recsite_client import Recsite

from features.keys import CHANGED_CHANNEL
from tests.api.conftest import Place
from tests.services.waiting import until_subscribed, wait_until_async

pytestmark = [pytest.mark.redis, pytest.mark.slow]

WITHIN_S = 20.0  # on a busy machine; two seconds are measured by benchmarks
HOME = {"placement": "home_new", "limit": 8}
PUBLISH = """
import time
from recommendations.models import Rule
from recommendations.state.placements import publish
from tracking.models import Site
site = Site.objects.get(slug="default")
rule = Rule.objects.create(site=site, name="Not this one", action="exclude", items=["{item}"])
publish(rule)
print(time.time())
"""
WITHDRAW = """
from recommendations.models import Rule
Rule.objects.filter(name="Not this one").delete()
"""


def listed(message: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in message["results"][0]["items"]]


async def update(page: websockets.ClientConnection, *, within_s: float = 60) -> list[str]:
    """Return the items of the next update."""
    async with asyncio.timeout(within_s):
        while True:
            message = json.loads(await page.recv())
            if message["type"] == "update":
                return listed(message)


async def without(page: websockets.ClientConnection, item_id: str) -> float:
    """Return when the page's list no longer had the item."""
    while item_id in await update(page):
        pass
    return time.time()


async def until_back(place: Place, item_id: str) -> None:
    """Wait until both processes list an item again, so that the next test finds them as it expects."""

    async def is_back() -> bool:
        for address in (place.address, place.second_address):
            client = Recsite(address, place.sk)
            reply = await asyncio.to_thread(lambda client=client: client.recommend(placement="home_new", limit=8))
            if item_id not in {str(item.item_id) for item in reply.results[0].items}:
                return False
        return True

    await wait_until_async(is_back, f"both processes to list {item_id} again")


@pytest_asyncio.fixture
async def pages(place: Place) -> AsyncIterator[list[tuple[websockets.ClientConnection, list[str]]]]:
    """Open a page at each web process, and return both with the list that they show."""
    opened = []
    for address in (place.address, place.second_address):
        page = await websockets.connect(address.replace("http", "ws") + "/v1/live", open_timeout=10)
        hello = {"type": "hello", "key": place.pk, "anonymous_id": uuid.uuid4().hex}
        await page.send(json.dumps(hello))
        await page.send(json.dumps({"type": "subscribe", "placements": [HOME]}))
        opened.append((page, await update(page)))
    await asyncio.to_thread(until_subscribed, place.running.environment["REDIS_URL"], CHANGED_CHANNEL, 2)
    yield opened
    for page, _ in opened:
        await page.close()


async def test_a_rule_reaches_the_pages_of_both_processes(place: Place, pages: Any) -> None:
    (first, shown), (second, also_shown) = pages
    item_id = next(item_id for item_id in shown if item_id in also_shown)
    gone = asyncio.gather(without(first, item_id), without(second, item_id))

    published_at = float((await asyncio.to_thread(place.shell, PUBLISH.format(item=item_id))).split()[-1])

    took_s = [round(moment - published_at, 2) for moment in await asyncio.wait_for(gone, 60)]
    print(f"rule → pages of two processes: {took_s} s")
    assert max(took_s) <= WITHIN_S
    await asyncio.to_thread(place.shell, WITHDRAW)
    await until_back(place, item_id)


async def test_an_event_sent_to_one_process_reaches_the_pages_of_its_user_at_both(place: Place) -> None:
    """Collect, event log, stream worker and two hubs: the whole path, with one Redis between the processes."""
    who = uuid.uuid4().hex
    for_you = {"placement": "home_for_you", "limit": 6}
    opened = []
    for address in (place.address, place.second_address):
        page = await websockets.connect(address.replace("http", "ws") + "/v1/live", open_timeout=10)
        await page.send(json.dumps({"type": "hello", "key": place.pk, "anonymous_id": who}))
        await page.send(json.dumps({"type": "subscribe", "placements": [for_you]}))
        opened.append((page, await update(page)))
    await asyncio.to_thread(until_subscribed, place.running.environment["REDIS_URL"], CHANGED_CHANNEL, 2)

    started = time.monotonic()
    await asyncio.to_thread(place.running.send_views, who, ["lamp01", "lamp02", "lamp03"])
    lists = await asyncio.gather(*(update(page) for page, _ in opened))
    took_s = time.monotonic() - started

    print(f"event → pages of two processes: {took_s:.2f} s")
    assert all(shown != after for (_, shown), after in zip(opened, lists, strict=True))
    assert all(item_id.startswith("lamp") for after in lists for item_id in after[:3])
    for page, _ in opened:
        await page.close()


async def test_an_item_that_sells_out_leaves_the_pages_of_both_processes(place: Place, pages: Any) -> None:
    (first, shown), (second, also_shown) = pages
    item_id = next(item_id for item_id in shown if item_id in also_shown)
    client = Recsite(place.address, place.sk)
    gone = asyncio.gather(without(first, item_id), without(second, item_id))

    sold_at = time.time()
    await asyncio.to_thread(client.write_item, item_id, {"availability": "out_of_stock"})

    took_s = [round(moment - sold_at, 2) for moment in await asyncio.wait_for(gone, 60)]
    print(f"sold out → pages of two processes: {took_s} s")
    assert max(took_s) <= WITHIN_S
    await asyncio.to_thread(client.write_item, item_id, {"availability": "in_stock"})
    await until_back(place, item_id)


async def test_a_page_that_was_closed_is_told_only_what_it_missed(place: Place, pages: Any) -> None:
    (first, _), _ = pages
    await first.close()
    client = Recsite(place.address, place.sk)
    shown = await asyncio.to_thread(lambda: client.recommend(placement="home_new", limit=8).results[0])

    async def back(rec_id: str, *, within_s: float) -> list[str] | None:
        async with websockets.connect(place.second_address.replace("http", "ws") + "/v1/live") as page:
            await page.send(json.dumps({"type": "hello", "key": place.pk, "anonymous_id": uuid.uuid4().hex}))
            await page.send(json.dumps({"type": "subscribe", "placements": [HOME], "seen": {"home_new": rec_id}}))
            try:
                return await update(page, within_s=within_s)
            except TimeoutError:
                return None

    assert await back(shown.rec_id, within_s=1.5) is None
    gone = str(shown.items[0].item_id)
    await asyncio.to_thread(client.write_item, gone, {"availability": "out_of_stock"})

    async def is_gone() -> bool:
        second = Recsite(place.second_address, place.sk)
        listed = await asyncio.to_thread(lambda: second.recommend(placement="home_new", limit=8).results[0].items)
        return gone not in {str(item.item_id) for item in listed}

    await wait_until_async(is_gone, "the second process to know")
    missed = await back(shown.rec_id, within_s=60)
    assert missed
    assert gone not in missed
    await asyncio.to_thread(client.write_item, gone, {"availability": "in_stock"})
