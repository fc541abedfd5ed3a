"""The screens of API keys."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.tracking.admin.conftest import text
from tracking.access import sites
from tracking.models import ApiKey, Site

pytestmark = pytest.mark.django_db


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
