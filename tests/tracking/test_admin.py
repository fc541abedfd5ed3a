"""The staff's screens of tracking."""

from __future__ import annotations

import json

import pytest
import redis
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.tracking.conftest import an_event
from tracking.access import sites
from tracking.collect import live_events
from tracking.contract.parsing import parse_record
from tracking.log.memory import MemoryLog
from tracking.models import ApiKey, DeadLetter, Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="shop", name="Shop")


def text(response) -> str:
    assert response.status_code == 200, response
    return response.content.decode()


def test_a_secret_key_is_shown_once_and_works(staff: Client, site: Site) -> None:
    data = {"site": site.pk, "kind": "sk", "label": "server", "expires_at_0": "", "expires_at_1": ""}
    page = text(staff.post(reverse("admin:tracking_apikey_add"), data))
    key = ApiKey.objects.get()
    value = page.partition("sk_")[2][:24]
    sites.keys.reload()
    assert sites.find_key("sk_" + value) is not None
    for name, args in (("changelist", []), ("change", [key.pk])):
        assert value not in text(staff.get(reverse(f"admin:tracking_apikey_{name}", args=args)))


def test_a_third_secret_key_is_refused_in_the_form(staff: Client, site: Site) -> None:
    sites.create_key(site, "sk")
    sites.create_key(site, "sk")
    page = text(staff.post(reverse("admin:tracking_apikey_add"), {"site": site.pk, "kind": "sk"}))
    assert "revoke one first" in page
    assert ApiKey.objects.count() == 2


def test_rotating_shows_the_new_key_and_lets_the_old_one_expire(staff: Client, site: Site) -> None:
    key, _ = sites.create_key(site, "sk")
    page = text(staff.post(reverse("admin:tracking_apikey_rotate", args=[key.pk])))
    assert "sk_" in page
    key.refresh_from_db()
    assert key.expires_at is not None
    assert ApiKey.objects.count() == 2


def test_revoking_needs_a_post(staff: Client, site: Site) -> None:
    key, _ = sites.create_key(site, "pk")
    assert staff.get(reverse("admin:tracking_apikey_revoke", args=[key.pk])).status_code == 405
    staff.post(reverse("admin:tracking_apikey_revoke", args=[key.pk]))
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "revoked" in text(staff.get(reverse("admin:tracking_apikey_changelist")))


def test_keys_are_revoked_in_bulk(staff: Client, site: Site) -> None:
    keys = [sites.create_key(site, "pk")[0] for _ in range(3)]
    data = {"action": "revoke_selected", "_selected_action": [key.pk for key in keys]}
    staff.post(reverse("admin:tracking_apikey_changelist"), data)
    assert ApiKey.objects.filter(revoked_at=None).count() == 0


def test_origins_are_edited_one_a_line(staff: Client, site: Site) -> None:
    address = reverse("admin:tracking_site_change", args=[site.pk])
    data = {
        "name": "Shop", "currency": "EUR", "locale": "en", "is_active": "on", "url": "",
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
    from django.contrib.auth.models import Permission

    user = get_user_model().objects.create_user("ben", password="x" * 16, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_site"))
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
    assert (answer.status_code, answer.json()["error"]) == (503, "redis_down")
    assert staff.get(reverse("admin:tracking_site_seen", args=[site.pk])).json() == {"state": "unknown"}
    assert live_events.KEEP == 200


def a_letter(site: Site, *, quantity: int = 0, reason: str = "invalid_event", number: int = 0) -> DeadLetter:
    event = an_event(params={"items": [{"item_id": "SKU<b>1", "quantity": quantity}]})
    head = {
        "v": "1.0",
        "site": site.slug,
        "received_at_ms": 1_700_000_000_000,
        "anonymous_id": "a" * 32,
    }
    return DeadLetter.objects.create(
        site=site, reason=reason, field="events[0].params.items[0].quantity", detail="Expected int >= 1",
        raw=json.dumps({**head, "events": [event]}).encode(), key=f"{site.slug}/a:{'a' * 32}", origin="collect",
        fingerprint=f"{reason}{number}{quantity}",
    )  # fmt: skip


def test_letters_are_counted_by_reason(staff: Client, site: Site) -> None:
    for number in range(3):
        a_letter(site, number=number)
    a_letter(site, reason="unknown_event")
    page = text(staff.get(reverse("admin:tracking_deadletter_changelist")))
    assert "<span>invalid_event</span><strong>3</strong>" in page
    assert "<span>unknown_event</span><strong>1</strong>" in page


def test_a_letter_is_shown_as_data_and_never_as_markup(staff: Client, site: Site) -> None:
    page = text(staff.get(reverse("admin:tracking_deadletter_change", args=[a_letter(site).pk])))
    assert "SKU&lt;b&gt;1" in page
    assert "SKU<b>1" not in page


def test_a_corrected_letter_is_in_the_log_again(staff: Client, site: Site, settings) -> None:
    MemoryLog.forget_all()
    settings.EVENT_LOG_URL = "memory://letters"
    letter = a_letter(site)
    address = reverse("admin:tracking_deadletter_edit", args=[letter.pk])
    assert "SKU&lt;b&gt;1" in text(staff.get(address))
    assert "is not JSON" in text(staff.post(address, {"raw": "{"}))
    raw = bytes(letter.raw).decode()
    assert "quantity" in text(staff.post(address, {"raw": raw}))
    assert staff.post(address, {"raw": raw.replace('"quantity": 0', '"quantity": 2')}).status_code == 302
    letter.refresh_from_db()
    assert letter.status == DeadLetter.Status.RESENT
    log = MemoryLog(name="letters")
    [record] = [parse_record(one.value) for number in range(4) for one in log.read_range(number)]
    assert record.events[0].params.items[0].quantity == 2


def test_letters_are_sent_again_and_discarded_in_bulk(staff: Client, site: Site, settings) -> None:
    MemoryLog.forget_all()
    settings.EVENT_LOG_URL = "memory://letters"
    good, bad, useless = a_letter(site, quantity=1), a_letter(site), a_letter(site, reason="odd")
    address = reverse("admin:tracking_deadletter_changelist")
    chosen = {"_selected_action": [good.pk, bad.pk]}
    page = text(staff.post(address, {"action": "resend_selected", **chosen}, follow=True))
    assert "1 letters were sent again" in page
    assert "Not sent: " in page
    staff.post(address, {"action": "discard_selected", "_selected_action": [useless.pk]})
    assert list(DeadLetter.objects.order_by("pk").values_list("status", flat=True)) == ["resent", "new", "discarded"]
