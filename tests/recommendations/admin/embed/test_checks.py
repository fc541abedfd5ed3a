"""The checklist over HTTP: what the site's stores say, for staff who see the site."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from tests.recommendations.conftest import Shop


def checks(shop: Shop, client: Client) -> dict[str, Any]:
    response = client.get(reverse("admin:recommendations_placement_embed_checks", args=[shop.site.pk]))
    assert response.status_code == 200
    return {check["name"]: check for check in response.json()["checks"]}


def test_it_says_what_is_missing_and_follows_the_site(shop: Shop, admin_client: Client) -> None:
    before = checks(shop, admin_client)
    assert (before["origin"]["state"], before["events"]["state"]) == ("wrong", "waiting")
    assert "http://testserver" in before["policy"]["remedy"]

    shop.site.origins = ["https://www.shop.example"]
    shop.site.save()

    assert checks(shop, admin_client)["origin"]["state"] == "done"


def test_staff_who_do_not_see_the_site_get_nothing(shop: Shop, client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x" * 20, is_staff=True))

    response = client.get(reverse("admin:recommendations_placement_embed_checks", args=[shop.site.pk]))

    assert response.status_code == 404
