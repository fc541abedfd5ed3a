"""Data quality is counted to the unit, bounded whatever callers send, and waits for a Redis that is unavailable."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.asgi_client import call
from tests.tracking.conftest import PUBLISHABLE, an_event
from tracking import keys
from tracking.collect.endpoint import Collector
from tracking.collect.live_events import LiveEvents
from tracking.http.edge import HotPath
from tracking.http.quotas import Quotas
from tracking.quality import counts
from tracking.quality.counts import QualityCounts, clock_step, forget, plain_path, section_of
from tracking.quality.reading import QualityCountsRead, read_quality


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def an_order(transaction_id: str, currency: str = "EUR") -> dict[str, Any]:
    params = {"transaction_id": transaction_id, "currency": currency, "items": [{"item_id": "SKU1", "price": 5.0}]}
    return an_event("purchase", params=params)


class Shop:
    """A site whose requests are counted into a real Redis."""

    def __init__(self, slug: str, endpoint: HotPath, quality: QualityCounts, client: redis.Redis) -> None:
        self.slug, self.quality, self.client, self._endpoint = slug, quality, client, endpoint

    async def send(self, *events: dict[str, Any], **head: Any) -> Any:
        body = {"key": PUBLISHABLE, "anonymous_id": "a" * 32, "events": list(events), **head}
        return await call(self._endpoint, json.dumps(body).encode())

    def read(self) -> QualityCountsRead:
        self.quality.flush()
        return read_quality(self.client, self.slug, now_ms=now_ms())


@pytest.fixture
def shop(install_keys, durable, redis_url: str):
    slug = f"quality{time.monotonic_ns()}"
    install_keys(slug=slug)
    quality = QualityCounts()
    quality.start(redis_url)
    collector = Collector(durable, quotas=Quotas(), live=LiveEvents(), quality=quality)
    with redis.Redis.from_url(redis_url) as client:
        yield Shop(slug, HotPath(collector.collect, name="collect-test"), quality, client)
    quality.stop()


@pytest.mark.redis
async def test_events_mends_and_refusals_are_counted_with_samples(shop: Shop) -> None:
    dear = an_event(params={"items": [{"item_id": "SKU1", "price": "1.234,50 €"}]})
    await shop.send(an_event(), dear, an_event("wheel_spun", params={"won": 1}), an_event(params={"items": [{}]}))
    await shop.send(an_event("page_view"))

    found = shop.read()

    assert found.of(counts.EVENTS) == {
        ("view_item", "browser"): (2, 2), ("page_view", "browser"): (1, 1), ("wheel_spun", "browser"): (1, 1),
    }  # fmt: skip
    assert found.day == found.month
    price = next(name for name in found.samples if name[:2] == ("mended", "price"))
    assert found.day[price] == 1
    assert (found.samples[price][0].value, found.samples[price][0].became) == ('"1.234,50 €"', "1234.5")
    (refused,) = found.of(counts.REFUSED)
    assert refused == ("params.items", "invalid_event")
    assert found.samples["refused", *refused][0].remedy


@pytest.mark.redis
async def test_amounts_with_more_decimals_than_their_currency_are_counted(shop: Shop) -> None:
    def order(number: int, currency: str | None, value: float, price: float) -> dict[str, Any]:
        event = an_order(f"R-{number}", currency or "EUR")
        event["params"] |= {
            "value": value,
            "items": [{"item_id": "A", "price": price}, {"item_id": "B", "price": price}],
        }
        if currency is None:
            del event["params"]["currency"]
        return event

    await shop.send(order(1, "EUR", 59.97, 19.99), order(2, "KWD", 1.234, 1.234), order(3, "JPY", 6000.0, 6000))
    await shop.send(order(4, None, 1.234, 0.333))  # of the site's currency, which may have three
    assert shop.read().of(counts.MENDED) == {}
    await shop.send(
        order(5, "EUR", 59.970000000000006, 19.99), order(6, "JPY", 6000.5, 0.5), order(7, None, 0.12345, 1)
    )
    found = shop.read()
    assert found.of(counts.MENDED) == {("value", "rounded"): (3, 3), ("price", "rounded"): (1, 1)}
    assert "half a unit is rounded to even" in found.samples["mended", "value", "rounded"][0].remedy


@pytest.mark.redis
async def test_an_order_reported_again_is_said_with_its_id(shop: Shop) -> None:
    await shop.send(an_order("A-1"), an_order("A-2", "JPY"))
    assert shop.read().of(counts.ORDERS_AGAIN) == {}
    await shop.send(an_order("A-1"))
    await shop.send(an_order("A-3"), an_order("A-3"))
    found = shop.read()
    assert found.of(counts.ORDERS) == {("EUR",): (4, 4), ("JPY",): (1, 1)}
    assert found.of(counts.ORDERS_AGAIN) == {("count",): (2, 2)}
    assert found.samples["orders_again", "count"][0].value == "A-3"
    assert b"A-1" not in b"".join(shop.client.smembers(keys.quality_orders(shop.slug, now_ms() // 86_400_000)))


@pytest.mark.redis
async def test_every_key_has_a_ttl_and_an_erasure_drops_the_samples(shop: Shop) -> None:
    await shop.send(an_order("A-1"), an_event(params={"items": [{}]}))
    shop.read()
    names = list(shop.client.scan_iter(f"rs:{shop.slug}:*"))
    kinds = {name.decode().split(":")[2] for name in names}
    assert kinds == {"quality_hour", "quality_day", "quality_samples", "quality_orders"}
    assert all(shop.client.ttl(name) > 0 for name in names)
    assert forget(shop.client, shop.slug, now_ms=now_ms()) == 1
    assert shop.read().samples == {}
    assert shop.read().of(counts.REFUSED)


@pytest.mark.redis
async def test_programs_are_counted_by_kind(shop: Shop) -> None:
    await shop.send(an_event(), an_event())  # by a client that gives no name
    await shop.send(an_event(), ctx={"bot": True})

    assert shop.read().of(counts.BOTS) == {("script",): (3, 3)}


@pytest.mark.redis
async def test_an_unknown_event_is_counted_by_its_name(shop: Shop) -> None:
    await shop.send(an_event("view_itme"), an_event("add_to_crt"), an_event("view_itme"))

    refused = shop.read().of(counts.REFUSED)
    assert {name: day for name, (day, _) in refused.items()} == {
        ("event 'view_itme'", "unknown_event"): 2, ("event 'add_to_crt'", "unknown_event"): 1,
    }  # fmt: skip


async def test_names_that_callers_choose_are_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MAX_NAMES", 10)
    for number in range(30):
        await shop.send(an_event(f"game_{'x' * number}"))
    found = shop.read().of(counts.EVENTS)
    assert len(found) == 11
    assert found["(other)", "browser"] == (20, 20)


async def test_what_redis_does_not_take_waits(
    install_keys, durable, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = f"quality{time.monotonic_ns()}"
    install_keys(slug=slug)
    quality = QualityCounts()
    quality._flusher._url = "redis://127.0.0.1:1/0"
    collector = Collector(durable, quotas=Quotas(), live=LiveEvents(), quality=quality)
    endpoint = HotPath(collector.collect, name="collect-test")
    for _ in range(3):
        body = {"key": PUBLISHABLE, "anonymous_id": "a" * 32, "events": [an_order("B-1")]}
        assert (await call(endpoint, json.dumps(body).encode())).status == 202
        with pytest.raises(redis.ConnectionError):
            quality.flush()
    quality._flusher._client, quality._flusher._url = None, redis_url
    quality.flush()
    with redis.Redis.from_url(redis_url) as client:
        found = read_quality(client, slug, now_ms=now_ms())
    quality.stop()
    assert found.of(counts.EVENTS) == {("purchase", "browser"): (3, 3)}
    assert found.of(counts.ORDERS_AGAIN) == {("count",): (2, 2)}


@pytest.mark.parametrize(
    ("sent", "words"),
    [(None, "not sent"), (0, "within 2 s"), (-59_000, "within a minute"), (7_200_000, "hours ahead"),
     (-7_200_000, "hours behind"), (3_000_000, "within an hour")],
)  # fmt: skip
def test_clocks_are_told_in_words(sent: int | None, words: str) -> None:
    received = 1_800_000_000_000
    assert clock_step(None if sent is None else received + sent, received) == words


@pytest.mark.parametrize(
    ("field", "plain"),
    [("events[3].params.items[0].price", "params.items[].price"), ("records[1].events[0].ts", "ts"),
     ("events[0]", "event"), ("anonymous_id", "anonymous_id"), ("events", "events")],
)  # fmt: skip
def test_paths_lose_their_numbers(field: str, plain: str) -> None:
    assert plain_path(field) == plain


@given(st.text())
def test_a_section_is_short_whatever_the_address(url: str) -> None:
    assert 1 <= len(section_of(url)) <= 41
    assert section_of("https://shop.example/product/9?x=1") == "/product"
