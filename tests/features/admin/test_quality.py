"""The page shows findings first, then every table, and says what it cannot read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from features.store import connections
from tests.features.quality.stocking import stock
from tracking.models import Site

pytestmark = pytest.mark.django_db
PAGE = "admin:features_item_data_quality"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


@pytest.mark.redis
def test_findings_and_tables_are_shown(staff: Client, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    site = Site.objects.create(slug=f"quality{time.monotonic_ns()}", name="Shop", currency="EUR")
    stock(connections.client(), site.slug)
    page = staff.get(reverse(PAGE), {"site": site.slug})
    text = " ".join(page.content.decode().split())
    for words in ("were refused", "A-100482", "JPY", "1.299,00", "veiw_item", "/magazine", "Feed against events"):
        assert words in text, words
    assert "433,890" in text  # nine times 48,210 views in 30 days


def test_without_redis_the_page_says_so(staff: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    Site.objects.create(slug="shop", name="Shop", currency="EUR")
    assert "The counts cannot be read" in staff.get(reverse(PAGE)).content.decode()


def test_only_who_may_see_items_sees_it() -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("bert", password="x" * 16, is_staff=True))
    assert client.get(reverse(PAGE)).status_code == 403


def test_without_a_site_the_page_leads_to_one(staff: Client) -> None:
    assert "No site yet" in staff.get(reverse(PAGE)).content.decode()
