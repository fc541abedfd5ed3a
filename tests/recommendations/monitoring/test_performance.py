"""What lists earned: grouped, added up by day, and as the report's screen shows it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.test import Client
from django.urls import reverse

from features import keys
from features.store import connections
from features.store.placement_stats import PlacementStats
from recommendations.models import Rule
from recommendations.monitoring.performance import daily, grouped, total
from tests.recommendations.conftest import Shop

TODAY = int(time.time()) // 86_400


def row(**changes: Any) -> PlacementStats:
    values: dict[str, Any] = {
        "day": 100, "placement": "home", "variant": "live", "model_version": "v1", "rules": "", "lists": 1,
        "impressions": 10, "clicks": 2, "carts": 1, "orders": 1, "units": 1, "revenue": 2_550, **changes,
    }  # fmt: skip
    return PlacementStats(**values)


def test_groups_come_best_first_and_named_ones_come_even_without_figures() -> None:
    rows = [row(), row(placement="cart", revenue=9_900), row(day=101)]

    found = grouped(rows, "placement", names=["home", "unseen"])

    assert [(one.name, one.revenue) for one in found] == [("cart", 99.0), ("home", 51.0), ("unseen", 0.0)]
    assert [one.click_rate for one in found] == [20.0, 20.0, None]
    assert found[0].revenue_per_thousand == 9_900.0


def test_a_list_that_two_rules_touched_counts_for_each() -> None:
    found = grouped([row(rules="3,11"), row(rules="3"), row()], "rule")

    assert {one.name: one.clicks for one in found} == {"3": 4, "11": 2, "": 2}


def test_days_without_figures_stand_in_the_span() -> None:
    rows = [row(day=100), row(day=102), row(day=102)]

    assert [one.lists for one in daily(rows, first=99, last=102).values()] == [0, 1, 0, 2]
    assert total(rows).revenue_hundredths == 7_650


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


@pytest.mark.redis
def test_the_report_shows_each_placement_and_the_total(counted: Shop, admin_client: Client) -> None:
    answer = open_report(counted, admin_client)

    rows = {one.name: one for one in answer.context["rows"]}
    assert (rows["home_new"].impressions, rows["home_new"].revenue) == (80, 246.90)
    assert rows["home_for_you"].impressions == 0
    assert answer.context["total"].clicks == 8
    assert answer.context["bars"][-1].height == 100.0
    assert "246.90" in answer.content.decode()


@pytest.mark.redis
def test_the_chart_begins_with_a_figure_that_is_not_zero(counted: Shop, admin_client: Client) -> None:
    assert open_report(counted, admin_client).context["metric"] == "revenue"

    client = redis.Redis.from_url(settings.REDIS_URL)
    key = keys.placement_day(0, counted.site.slug, TODAY)
    client.hset(key, mapping=dict.fromkeys(client.hkeys(key), msgspec.msgpack.encode([2, 40, 4, 0, 0, 0, 0])))
    client.close()

    assert open_report(counted, admin_client).context["metric"] == "clicks"
    asked = open_report(counted, admin_client, show="orders").context
    assert (asked["metric"], asked["bars"][-1].height) == ("orders", 0.0)


@pytest.mark.redis
def test_the_report_names_rules_and_variants(counted: Shop, admin_client: Client) -> None:
    by_rule = open_report(counted, admin_client, by="rule").context["rows"]
    by_variant = open_report(counted, admin_client, by="variant", placement="home_new").context["rows"]

    assert {one.name for one in by_rule} == {"=Campaign", "no rule"}
    assert {one.name for one in by_variant} == {"live", "canary"}


@pytest.mark.redis
def test_the_report_as_a_file_holds_no_formula(counted: Shop, admin_client: Client) -> None:
    answer = open_report(counted, admin_client, by="rule", format="csv")

    assert answer["Content-Type"].startswith("text/csv")
    assert "'=Campaign,2,40,4,2,1,123.45" in answer.content.decode()


@pytest.mark.redis
def test_a_span_that_ends_before_it_begins_names_the_field(counted: Shop, admin_client: Client) -> None:
    page = open_report(counted, admin_client, first="2026-05-02", last="2026-05-01").content.decode()

    assert "2026-05-02 is after the last day, 2026-05-01; choose an earlier one." in page


@pytest.mark.redis
def test_an_empty_report_says_what_to_do(shop: Shop, admin_client: Client) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    for partition in range(connections.partitions()):
        client.delete(keys.placement_day(partition, shop.site.slug, TODAY))
    client.close()

    page = open_report(shop, admin_client, first=time.strftime("%Y-%m-%d", time.gmtime())).content.decode()

    assert "No list was seen in these days" in page
    assert reverse("admin:tracking_site_embed", args=[shop.site.pk]) in page


@pytest.mark.redis
def test_staff_without_rights_see_no_report(shop: Shop, client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x" * 20, is_staff=True))

    assert open_report(shop, client).status_code == 403
