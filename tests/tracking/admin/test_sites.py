"""The screens of sites: what to embed, and what arrives."""

from __future__ import annotations

import html
import re
from typing import Any

import jwt
import pytest
import redis
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.tracking.admin.conftest import text
from tracking.access import sites
from tracking.collect import live_events
from tracking.models import Membership, Site

pytestmark = pytest.mark.django_db


def test_origins_are_edited_one_a_line(staff: Client, site: Site) -> None:
    address = reverse("admin:tracking_site_change", args=[site.pk])
    data = {
        "name": "Shop", "currency": "EUR", "locale": "en", "time_zone": "UTC", "is_active": "on", "url": "",
        "events_per_minute": 1, "requests_per_minute": 1, "address_requests_per_minute": 1,
        "origins": "https://www.Shop.example/\n\n  https://*.shop.example \n",
    }  # fmt: skip
    assert staff.post(address, data).status_code == 302
    site.refresh_from_db()
    assert site.origins == ["https://www.shop.example", "https://*.shop.example"]
    page = text(staff.post(address, {**data, "origins": "www.shop.example"}))
    assert "is not an origin" in page


def test_the_embed_page_prints_what_to_copy(staff: Client, site: Site) -> None:
    address = reverse("admin:tracking_site_embed", args=[site.pk])
    assert "no live publishable key" in text(staff.get(address))
    _, value = sites.create_key(site, "pk")
    page = text(staff.get(address))
    assert f"&lt;script async src=&quot;http://testserver/r/v1/rec.js&quot; data-key=&quot;{value}&quot;" in page
    assert "integrity=&quot;sha384-" in page
    assert site.token_secret in page


def test_those_who_may_only_look_see_no_secret(site: Site) -> None:
    from django.contrib.auth.models import Group, Permission

    user = get_user_model().objects.create_user("ben", password="x" * 16, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_site"))
    Membership.objects.create(site=site, user=user, role=Group.objects.create(name="Guests"))
    client = Client()
    client.force_login(user)
    assert site.token_secret not in text(client.get(reverse("admin:tracking_site_embed", args=[site.pk])))
    assert client.post(reverse("admin:tracking_site_new_secret", args=[site.pk])).status_code == 403


def test_a_stranger_is_sent_to_the_login(site: Site) -> None:
    for name in ("embed", "seen", "live", "live_events"):
        assert Client().get(reverse(f"admin:tracking_site_{name}", args=[site.pk])).status_code == 302


def test_a_new_token_secret_replaces_the_old_one(staff: Client, site: Site) -> None:
    before = site.token_secret
    staff.post(reverse("admin:tracking_site_new_secret", args=[site.pk]))
    site.refresh_from_db()
    assert site.token_secret != before


@pytest.mark.redis
def test_the_first_event_is_noticed_and_remembered(staff: Client, site: Site, settings, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    name = f"rs:{site.slug}:live_events"
    with redis.Redis.from_url(redis_url) as client:
        client.delete(name)
        address = reverse("admin:tracking_site_seen", args=[site.pk])
        assert staff.get(address).json() == {"state": "waiting"}
        client.lpush(name, b'{"received_at_ms": 1, "name": "page_view", "user_key": "a:1"}')
        client.expire(name, 60)
        seen = staff.get(address).json()
        assert (seen["state"], seen["newest"]["name"]) == ("seen", "page_view")
        [event] = staff.get(reverse("admin:tracking_site_live_events", args=[site.pk])).json()["events"]
        assert event["user_key"] == "a:1"
        client.delete(name)
    assert staff.get(address).json()["state"] == "seen"
    assert "arriving" in text(staff.get(reverse("admin:tracking_site_changelist")))


def test_without_redis_the_debugger_says_so(staff: Client, site: Site, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = staff.get(reverse("admin:tracking_site_live_events", args=[site.pk]))
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert staff.get(reverse("admin:tracking_site_seen", args=[site.pk])).json() == {"state": "unknown"}
    assert live_events.KEEP == 200


def test_the_printed_python_signs_a_token_that_the_server_takes(staff: Client, site: Site, monkeypatch) -> None:
    sites.create_key(site, "pk")
    page = staff.get(reverse("admin:tracking_site_embed", args=[site.pk])).content.decode()
    printed = html.unescape(re.search(r'<pre id="python"[^>]*>(.*?)</pre>', page, re.DOTALL)[1])  # type: ignore[index]
    monkeypatch.setenv("RECSITE_TOKEN_SECRET", site.token_secret)
    names: dict[str, Any] = {}

    exec(printed, names)  # as a shop's developer would paste it
    claims = jwt.decode(names["user_token"](42), site.token_secret, algorithms=["HS256"])

    assert (claims["sub"], claims["site"], claims["exp"] - claims["iat"]) == ("42", site.slug, 900)
