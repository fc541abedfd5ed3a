"""The page of duplicates: pictures, what to do, a way to the items, and nobody else's."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from features.models import Item
from tracking.models import Site

pytestmark = pytest.mark.django_db
PAGE = "admin:features_item_duplicates"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


def test_a_group_shows_its_pictures_and_leads_to_its_items(staff: Client) -> None:
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    for item_id, title in (("A", "Red boot"), ("B", "Boot <red>"), ("C", "Mug")):
        Item.objects.create(site=site, item_id=item_id, title=title, image_url=f"/pictures/{item_id}.svg")

    page = staff.get(reverse(PAGE)).content.decode()

    assert "2 items with the same title" in page
    assert "/pictures/A.svg" in page
    assert "Boot &lt;red&gt;" in page
    assert "/pictures/C.svg" not in page
    assert "group_id" in page
    listed = staff.get(
        reverse("admin:features_item_changelist"), {"item_id__in": "A,B", "site__id__exact": str(site.pk)}
    ).content.decode()
    assert "Red boot" in listed
    assert "Mug" not in listed


def test_without_duplicates_or_a_site_it_says_so(staff: Client) -> None:
    assert "No site yet" in staff.get(reverse(PAGE)).content.decode()
    Site.objects.create(slug="shop", name="Shop", currency="EUR")
    assert "No duplicates" in staff.get(reverse(PAGE)).content.decode()


def test_only_who_may_see_items_sees_it() -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("bert", password="x" * 16, is_staff=True))
    assert client.get(reverse(PAGE)).status_code == 403
