"""The page of exchange rates: tables are taken whole or refused in detail, and what is missing is said."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from features.models import ExchangeRate
from features.store import connections
from tests.features.quality.stocking import stock
from tracking.models import Membership, Site

pytestmark = pytest.mark.django_db
PAGE = "admin:features_exchangerate_changelist"
TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture
def staff(settings: Any) -> Client:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug=f"rates{time.monotonic_ns()}", name="Shop", currency="EUR")


def upload(client: Client, site: Site, text: str | bytes, name: str = "rates.csv") -> str:
    data = text.encode() if isinstance(text, str) else text
    page = client.post(f"{reverse(PAGE)}?site={site.slug}", {"file": SimpleUploadedFile(name, data)}, follow=True)
    return " ".join(page.content.decode().split())


def test_a_table_is_uploaded_shown_downloaded_and_deleted(staff: Client, site: Site) -> None:
    page = upload(staff, site, f"day,currency,rate\n{TODAY},USD,0.8625\n{TODAY},JPY,0.00554\n")
    for words in ("2 new, 0 changed", "1 JPY in EUR", "0.00554", str(TODAY), "Download as CSV"):
        assert words in page, words
    table = staff.get(reverse("admin:features_exchangerate_table"), {"site": site.slug}).content.decode()
    assert table.split() == [
        "day,currency,worth_in,rate", f"{TODAY},JPY,EUR,0.00554", f"{TODAY},USD,EUR,0.8625",
    ]  # fmt: skip
    assert "2 as before" in upload(staff, site, table)
    deleted = staff.post(f"{reverse(PAGE)}?site={site.slug}", {"delete": "USD-EUR"}, follow=True).content.decode()
    assert "1 rates of USD in EUR deleted" in deleted
    assert [row.currency for row in ExchangeRate.objects.all()] == ["JPY"]
    assert LogEntry.objects.filter(object_id=str(site.pk)).count() == 3  # who changed what money is worth


def test_a_table_with_a_fault_changes_nothing_and_says_where(staff: Client, site: Site) -> None:
    page = upload(staff, site, f"day,currency,rate\n{TODAY},USD,0.8625\n{TODAY},EURO,1\n{TODAY},<b>,1\n")
    for words in ("Nothing was written", "2 values of the table", "<code>EURO</code>", "no currency of ISO 4217"):
        assert words in page, words
    assert "<code>&lt;b&gt;</code>" in page.lower()
    assert not ExchangeRate.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\xff\xfe\x00day", "is not UTF-8 text"), (b"", "empty"), (b"PK\x03\x04", "does not say what is where")],
)
def test_what_is_no_table_is_said(staff: Client, site: Site, data: bytes, words: str) -> None:
    assert words in upload(staff, site, data)


@pytest.mark.redis
def test_currencies_of_orders_without_a_rate_are_said(staff: Client, site: Site, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    stock(connections.client(), site.slug)
    page = staff.get(reverse(PAGE), {"site": site.slug}).content.decode()
    assert "JPY: no rate" in " ".join(page.split())
    assert "shown apart" in page
    first = TODAY - dt.timedelta(days=29)
    page = upload(staff, site, f"day,currency,rate\n{first},JPY,0.00554\n")
    assert "JPY: no rate" not in page
    assert "converted" in page


def test_without_redis_rates_can_be_changed_all_the_same(staff: Client, site: Site) -> None:
    page = upload(staff, site, f"day,currency,rate\n{TODAY},USD,0.8625\n")
    assert "The counts cannot be read" in page
    assert "1 USD in EUR" in page


def test_who_may_only_look_changes_nothing(site: Site, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    user = get_user_model().objects.create_user("bert", password="x" * 16, is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(reverse(PAGE)).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_exchangerate"))
    Membership.objects.create(site=site, user=user, role=Group.objects.create(name="Guests"))
    page = client.get(reverse(PAGE), {"site": site.slug})
    assert page.status_code == 200
    assert "Upload a table" not in page.content.decode()
    for data in ({"delete": "USD-EUR"}, {"file": SimpleUploadedFile("rates.csv", b"x")}):
        assert client.post(f"{reverse(PAGE)}?site={site.slug}", data).status_code == 403


def test_without_a_site_the_page_leads_to_one(staff: Client) -> None:
    assert "No site yet" in staff.get(reverse(PAGE)).content.decode()
    assert staff.get(reverse("admin:features_exchangerate_table")).content == b"day,currency,worth_in,rate\r\n"
