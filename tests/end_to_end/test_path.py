"""From an event over the log, the stream worker and the model to a list that changed; on both event logs."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
import websockets

from features.keys import CHANGED_CHANNEL
from tests.end_to_end.conftest import Running, visitor
from tests.services.waiting import until_subscribed, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def ids(result: dict[str, object]) -> list[str]:
    """Return the item ids of a result."""
    return [item["item_id"] for item in result["items"]]  # type: ignore[attr-defined]


def test_events_change_the_list_of_their_shopper(trained: Running) -> None:
    shopper = visitor("shopper1")
    before = ids(trained.recommend(shopper))
    trained.send_views(shopper, ["tent03", "tent04"])
    wait_until(lambda: ids(trained.recommend(shopper)) != before, "the list to change")
    result = trained.recommend(shopper)
    assert all(item.startswith("tent") for item in ids(result)), result
    assert result["stage"] == "personalised"
    assert result["fallback_reason"] is None
    assert result["feature_age_ms"] < 30_000


def test_other_shoppers_see_nothing_of_it(trained: Running) -> None:
    trained.send_views(visitor("shopper2"), ["tent05", "tent06"])
    trained.send_views(visitor("shopper3"), ["lamp05", "lamp06"])
    wait_until(lambda: ids(trained.recommend(visitor("shopper3")))[0].startswith("lamp"))
    wait_until(lambda: ids(trained.recommend(visitor("shopper2")))[0].startswith("tent"))
    assert not any(item.startswith("lamp") for item in ids(trained.recommend(visitor("shopper2"))))


def test_product_page_shows_items_of_the_same_world(trained: Running) -> None:
    result = trained.recommend(visitor("nobody"), "product_similar", context_items=["lamp07"])
    assert result["items"]
    assert all(item.startswith("lamp") for item in ids(result))
    assert "lamp07" not in ids(result)


def test_new_list_is_pushed_to_the_open_page(trained: Running) -> None:
    shopper = visitor("shopper4")

    async def watch() -> tuple[list[str], float]:
        address = trained.address.replace("http", "ws") + "/v1/live"
        async with websockets.connect(address, open_timeout=10) as socket:
            await socket.send(json.dumps({"type": "hello", "key": trained.pk, "anonymous_id": shopper}))
            subscription = {"type": "subscribe", "placements": [{"placement": "home_for_you", "limit": 6}], "cart": []}
            await socket.send(json.dumps(subscription))
            while json.loads(await asyncio.wait_for(socket.recv(), 10))["type"] != "ready":
                pass
            await asyncio.to_thread(until_subscribed, trained.environment["REDIS_URL"], CHANGED_CHANNEL)
            sent_s = time.monotonic()
            await asyncio.to_thread(trained.send_views, shopper, ["lamp01", "lamp02"])
            while True:
                message = json.loads(await asyncio.wait_for(socket.recv(), 10))
                listed = ids(message["results"][0]) if message["type"] == "update" else []
                if listed and all(item.startswith("lamp") for item in listed):
                    return listed, time.monotonic() - sent_s

    pushed, seconds = asyncio.run(watch())
    print(f"pushed after {seconds * 1000:.0f} ms")
    assert all(item.startswith("lamp") for item in pushed)


BAD_BODIES = {
    "not json": (b"{", 400, "body"),
    "an array": (b"[]", 400, "body"),
    "nested too deep": (b"[" * 50_000, 400, "body"),
    "NaN": (b'{"events": [NaN]}', 400, "events[0]"),
    "no events": (b'{"events": []}', 400, "events"),
    "wrong type": (b'{"events": "x"}', 400, "events"),
    "oversize": (b'{"events": ["' + b"x" * 100_000 + b'"]}', 413, None),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_bad_bodies_are_refused_with_the_field(installation: Running, case: str) -> None:
    body, expected, field = BAD_BODIES[case]
    status, answer = installation.post("/v1/events", body, Authorization=f"Bearer {installation.pk}")
    assert status == expected, answer
    assert answer["error"]
    assert answer["message"]
    assert answer["field"] == field or field is None


def test_good_part_of_a_batch_is_kept(installation: Running) -> None:
    now_ms = int(time.time() * 1000)
    common = {"ts": now_ms, "event_id": "0" * 16}
    events = [
        {**common, "event": "view_item", "event_id": "good-event-0001", "params": {"items": [{"item_id": "tent01"}]}},
        {**common, "event": "veiw_item", "params": {"items": [{"item_id": "tent01"}]}},
        {**common, "event": "view_item", "params": {"items": [{}]}},
        {**common, "event": "view_item", "params": {"items": [{"item_id": "a\u0000b"}]}},
        {**common, "event": "purchase", "params": {"items": [{"item_id": "tent01"}]}},
    ]
    body = {"key": installation.pk, "sent_at": now_ms, "anonymous_id": visitor("mixed"), "events": events}
    status, answer = installation.post("/v1/events", body)
    assert (status, answer["accepted"]) == (202, 2)
    assert [(one["index"], one["field"]) for one in answer["rejected"]] == [
        (1, "events[1].event"),
        (2, "events[2].params.items"),
        (4, "events[4].params.transaction_id"),
    ]
    assert [(one["path"], one["done"]) for one in answer["warnings"]] == [
        ("events[3].params.items[0].item_id", "reread")
    ]
    assert all(one["error"] and one["message"] for one in answer["rejected"])


def test_wrong_key_and_unknown_placement_are_named(installation: Running) -> None:
    status, answer = installation.post("/v1/events", {"key": "pk_wrong", "events": [{}]})
    assert (status, answer["error"]) == (401, "unknown_key"), answer
    body = {"key": installation.pk, "anonymous_id": visitor("x"), "placements": [{"placement": "nowhere"}]}
    status, answer = installation.post("/v1/recommendations", body)
    assert (status, answer["field"]) == (404, "placements[0].placement"), answer
    assert "nowhere" in answer["message"]
