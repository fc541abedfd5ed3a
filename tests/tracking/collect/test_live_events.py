"""The debugger's list: the last events of a site, good and refused, bounded and short-lived."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
import redis

from tests.tracking.asgi_client import call
from tests.tracking.conftest import PUBLISHABLE, an_event
from tracking.collect import live_events
from tracking.collect.endpoint import Collector
from tracking.collect.live_events import LiveEvents
from tracking.http.edge import HotPath
from tracking.http.quotas import Quotas

pytestmark = pytest.mark.redis


async def test_good_and_refused_events_are_shown_newest_first(install_keys, durable, redis_url: str) -> None:
    slug = f"shop{time.monotonic_ns()}"
    install_keys(slug=slug)
    live = LiveEvents()
    live.start(redis_url)
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=live).collect, name="collect-test")
    bad = an_event(params={"items": [{}]})
    for events in ([an_event("page_view")], [an_event("wheel_spun", params={"won": 1}), bad]):
        await call(endpoint, json.dumps({"key": PUBLISHABLE, "anonymous_id": "a" * 32, "events": events}).encode())
    live.stop()
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl(f"rs:{slug}:live_events") <= live_events.KEEP_S
    refused, custom, page_view = live_events.read(redis_url, slug)
    assert (refused.event_id, refused.error) == (bad["event_id"], "invalid_event")
    assert refused.field.startswith("events[1].params.items")
    assert (custom.name, page_view.name) == ("wheel_spun", "page_view")
    assert custom.user_key == "a:" + "a" * 32
    assert json.loads(custom.detail)["params"] == {"won": 1}


async def test_a_flood_leaves_a_short_list(install_keys, durable, redis_url: str) -> None:
    slug = f"shop{time.monotonic_ns()}"
    install_keys(slug=slug)
    live = LiveEvents()
    live.start(redis_url)
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=live).collect, name="collect-test")
    for _ in range(10):
        for _ in range(100):
            body = {"key": PUBLISHABLE, "anonymous_id": "a" * 32, "events": [an_event()]}
            await call(endpoint, json.dumps(body).encode())
        live.flush()
    live.stop()
    assert len(live_events.read(redis_url, slug, limit=10_000)) == live_events.KEEP


async def test_an_absent_redis_is_noticed_once_and_costs_nothing(install_keys, durable, caplog, monkeypatch) -> None:
    install_keys()
    monkeypatch.setattr(live_events, "FLUSH_S", 0.02)
    live = LiveEvents()
    live.start("redis://127.0.0.1:1/0")
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=live).collect, name="collect-test")
    for _ in range(5):
        body = {"key": PUBLISHABLE, "anonymous_id": "a" * 32, "events": [an_event()]}
        assert (await call(endpoint, json.dumps(body).encode())).status == 202
        await asyncio.sleep(0.03)  # sleep: the pace of a page
    live.stop()
    assert caplog.text.count("background.unavailable owner=live_events") == 1


async def test_what_was_mended_stands_with_its_event(install_keys, durable, redis_url: str) -> None:
    slug = f"shop{time.monotonic_ns()}"
    install_keys(slug=slug)
    live = LiveEvents()
    live.start(redis_url)
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=live).collect, name="collect-test")
    tidy = an_event()
    untidy = an_event(params={"items": [{"item_id": 7, "price": "1,5"}]})
    body = {"key": PUBLISHABLE, "anonymous_id": "a" * 32, "events": [tidy, untidy]}
    await call(endpoint, json.dumps(body).encode())
    await call(endpoint, json.dumps({**body, "ctx": [], "events": [an_event("page_view")]}).encode())
    live.stop()
    head, mended, as_it_came = live_events.read(redis_url, slug)
    assert as_it_came.event_id == tidy["event_id"]
    assert as_it_came.mends == []
    assert {mend.path for mend in mended.mends} == {
        "events[1].params.items[0].item_id", "events[1].params.items[0].price"
    }  # fmt: skip
    assert [mend.path for mend in head.mends] == ["ctx"]
