"""The performance report: its figures, its CSV file, and the days that it offers."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
import redis
from django.conf import settings
from django.test import Client
from django.urls import reverse

from features import keys
from features.store import connections
from recommendations.admin import report
from recommendations.models import Rule
from tests.features.conftest import World
from tests.features.making import NOW_MS, event, record, wire
from tests.recommendations.conftest import Shop
from tracking.log.memory import MemoryLog

pytestmark = pytest.mark.redis
DAY_S = 86_400
TODAY = NOW_MS // 1000 // DAY_S
TODAYS_DATE = dt.date(1970, 1, 1) + dt.timedelta(days=TODAY)


@pytest.fixture(autouse=True)
def _on_one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no midnight pass between two requests of a test."""
    monkeypatch.setattr(report, "_today", lambda: TODAYS_DATE)


@pytest.fixture
def counted(shop: Shop) -> Shop:
    """Return a shop whose home list was seen today, by live and by canary, with and without a rule."""
    rule = Rule.objects.create(site=shop.site, name="=Campaign", action="boost", brands=["Loam"])
    client = redis.Redis.from_url(settings.REDIS_URL)
    for partition in range(connections.partitions()):
        client.delete(keys.placement_day(partition, shop.site.slug, TODAY))
    encoded = msgspec.msgpack.encode([2, 40, 4, 2, 1, 1, 12_345])
    key = keys.placement_day(0, shop.site.slug, TODAY)
    client.hset(key, mapping={f"home_new|live|v1|{rule.pk}": encoded, "home_new|canary|v2|": encoded})
    client.expire(key, 60)
    client.close()
    return shop


def open_report(shop: Shop, client: Client, **asked: str) -> Any:
    return client.get(reverse("admin:recommendations_placement_report"), {"site": shop.site.slug, **asked})


def test_the_report_shows_each_placement_and_the_total(counted: Shop, admin_client: Client) -> None:
    answer = open_report(counted, admin_client)

    rows = {one.name: one for one in answer.context["rows"]}
    assert (rows["home_new"].impressions, rows["home_new"].revenue) == (80, 246.90)
    assert rows["home_for_you"].impressions == 0
    assert answer.context["total"].clicks == 8
    assert answer.context["bars"][-1].height == 100.0
    assert "246.90" in answer.content.decode()


def test_the_chart_begins_with_a_figure_that_is_not_zero(counted: Shop, admin_client: Client) -> None:
    assert open_report(counted, admin_client).context["metric"] == "revenue"

    client = redis.Redis.from_url(settings.REDIS_URL)
    key = keys.placement_day(0, counted.site.slug, TODAY)
    client.hset(key, mapping=dict.fromkeys(client.hkeys(key), msgspec.msgpack.encode([2, 40, 4, 0, 0, 0, 0])))
    client.close()

    assert open_report(counted, admin_client).context["metric"] == "clicks"
    asked = open_report(counted, admin_client, show="orders").context
    assert (asked["metric"], asked["bars"][-1].height) == ("orders", 0.0)


def test_the_report_names_rules_and_variants(counted: Shop, admin_client: Client) -> None:
    by_rule = open_report(counted, admin_client, by="rule").context["rows"]
    by_variant = open_report(counted, admin_client, by="variant", placement="home_new").context["rows"]

    assert {one.name for one in by_rule} == {"=Campaign", "no rule"}
    assert {one.name for one in by_variant} == {"live", "canary"}


def test_the_report_as_a_file_holds_no_formula(counted: Shop, admin_client: Client) -> None:
    answer = open_report(counted, admin_client, by="rule", format="csv")

    assert answer["Content-Type"].startswith("text/csv")
    assert "'=Campaign,2,40,4,2,1,123.45" in answer.content.decode()


def test_what_no_rate_converts_is_shown_apart_and_added_to_nothing(counted: Shop, admin_client: Client) -> None:
    apart = msgspec.msgpack.encode([0, 0, 0, 0, 0, 0, 6_000])
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.hset(keys.placement_day(0, counted.site.slug, TODAY), "home_new|canary|v2||JPY", apart)
    client.close()

    answer = open_report(counted, admin_client)
    (row,) = [one for one in answer.context["rows"] if one.name == "home_new"]
    page = " ".join(answer.content.decode().split())
    lines = open_report(counted, admin_client, format="csv").content.decode().splitlines()

    assert (row.revenue, row.apart, row.orders) == (246.90, {"JPY": 6_000}, 2)
    assert "JPY 6,000 apart" in page
    assert reverse("admin:features_exchangerate_changelist") in page
    assert lines[0].endswith(f"revenue_{counted.site.currency},apart_JPY")
    assert next(line for line in lines if line.startswith("home_new,")).endswith(",246.90,6000")


def test_a_span_that_ends_before_it_begins_names_the_field(counted: Shop, admin_client: Client) -> None:
    page = open_report(counted, admin_client, first="2026-05-02", last="2026-05-01").content.decode()

    assert "2026-05-02 is after the last day, 2026-05-01; choose an earlier one." in page


def test_an_empty_report_says_what_to_do(shop: Shop, admin_client: Client) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    for partition in range(connections.partitions()):
        client.delete(keys.placement_day(partition, shop.site.slug, TODAY))
    client.close()

    page = open_report(shop, admin_client, first=TODAYS_DATE.isoformat()).content.decode()

    assert "No impressions in these days" in page
    assert reverse("admin:tracking_site_embed", args=[shop.site.pk]) in page


def test_staff_without_rights_see_no_report(shop: Shop, client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x" * 20, is_staff=True))

    assert open_report(shop, client).status_code == 403


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    """Return a log and a stream worker that writes to a Redis database of its own."""
    made = World(f"memory://t-{uuid.uuid4().hex}?partitions=1", f"{redis_url.rpartition('/')[0]}/7")
    made.client.flushdb()
    yield made
    made.client.close()
    MemoryLog.forget_all()


def span_days(answer: Any) -> list[int]:
    """Return the length in days of each span that the page offers."""
    found = []
    for link, _, _ in answer.context["span_links"]:
        query = parse_qs(link.removeprefix("?"))
        first, last = (dt.date.fromisoformat(query[name][0]) for name in ("first", "last"))
        found.append((last - first).days + 1)
    return found


def test_no_span_is_longer_than_what_the_stream_worker_keeps(shop: Shop, admin_client: Client, world: World) -> None:
    world.fill([wire(record(event("view_item_list", items=["a"], item_list_id="home")))])
    world.drain()
    kept_days = round(world.client.ttl(keys.placement_day(0, "shop", TODAY)) / DAY_S)

    spans = span_days(open_report(shop, admin_client))

    assert max(spans) == kept_days
    assert spans == sorted(set(spans))


def test_a_span_from_before_what_is_kept_begins_with_the_first_day_of_figures(shop: Shop, admin_client: Client) -> None:
    longest = max(span_days(open_report(shop, admin_client)))
    oldest = TODAYS_DATE - dt.timedelta(days=longest - 1)

    kept = open_report(shop, admin_client, first=oldest.isoformat())
    beyond = open_report(shop, admin_client, first=(oldest - dt.timedelta(days=20)).isoformat())

    said = f"Figures exist from {oldest:%-d %b %Y} on: they are kept for {longest} days."
    assert [len(answer.context["bars"]) for answer in (kept, beyond)] == [longest, longest]
    assert said in beyond.content.decode()
    assert "Figures exist from" not in kept.content.decode()
