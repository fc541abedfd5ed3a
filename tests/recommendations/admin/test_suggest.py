"""What is typed into a form finds what the catalogue holds, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


def test_what_is_typed_finds_items_brands_categories_and_tags(shop: Shop, admin: Client) -> None:
    shop.add("sku1", title="Trail boots", brand="Loam", category="Shoes > Boots", tags=["sale"])
    shop.add("sku2", title="Wool socks", brand="Fell", category="Shoes > Socks")
    url = reverse("admin:recommendations_rule_suggest")

    def found(**asked: str) -> list[str]:
        entries = admin.get(url, {"site": str(shop.site.pk), **asked}).json()["entries"]
        return [entry["value"] for entry in entries]

    assert found(kind="items", q="boots loam") == ["sku1"]
    assert found(kind="brands", q="fel") == ["Fell"]
    assert found(kind="categories", q="sho") == ["Shoes", "Shoes > Boots", "Shoes > Socks"]
    assert found(kind="tags", q="") == ["sale"]
    named = admin.get(url, {"kind": "items", "names": "sku2\nsku7"}).json()["entries"]
    assert [bool(entry["label"]) for entry in named] == [True, False]


def test_an_item_is_offered_with_its_price_and_whether_it_can_be_shown(shop: Shop, admin: Client) -> None:
    shop.add("sku1", title="Boots", brand="Loam", price_minor=9900, sale_price_minor=4950)
    shop.add("sku2", title="Boots of old", brand="", availability="out_of_stock")

    entries = admin.get(
        reverse("admin:recommendations_rule_suggest"), {"site": str(shop.site.pk), "kind": "items", "q": "boots"}
    ).json()["entries"]

    assert [entry["label"] for entry in entries] == [
        "Boots · Loam · 49.50 EUR",
        "Boots of old · 10.00 EUR · cannot be shown now",
    ]


def test_categories_are_known_by_path_and_by_name_in_any_case(shop: Shop, admin: Client) -> None:
    shop.add("sku1", category="Women > Shoes")

    entries = admin.get(
        reverse("admin:recommendations_rule_suggest"),
        {"site": str(shop.site.pk), "kind": "categories", "names": "women > shoes\nSHOES\nHats"},
    ).json()["entries"]

    assert [entry["label"] for entry in entries] == ["Women > Shoes", "Women > Shoes", ""]


@pytest.mark.parametrize("asked", [{"kind": "secrets", "q": "a"}, {"kind": "items", "q": "a", "site": "999999"}])
def test_an_unknown_kind_or_site_offers_nothing(shop: Shop, admin: Client, asked: dict[str, str]) -> None:
    shop.add("sku1", title="a")

    assert admin.get(reverse("admin:recommendations_rule_suggest"), asked).json() == {"entries": []}


def test_staff_without_rights_are_offered_nothing(shop: Shop, client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x" * 20, is_staff=True))

    assert client.get(reverse("admin:recommendations_rule_suggest"), {"kind": "items"}).status_code == 403
