"""What shops call their products is data: on no page does it become markup."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from features.models import Item
from recommendations.models import Placement, Rule
from tests.recommendations.conftest import Shop, shop
from tracking.models import DeadLetter

__all__ = ["shop"]
pytestmark = [pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]

EVIL = "<script>alert(1)</script>"
ATTRIBUTE = "\"'><img src=x onerror=alert(2)>"
TEMPLATE = "{{ 7|add:7 }}{% debug %}</title></textarea><svg/onload=alert(3)>"
EVERYTHING = f"{EVIL}{ATTRIBUTE}{TEMPLATE}"


@pytest.fixture
def staff(shop: Shop) -> Client:
    """Return a member of staff of a shop in which everything is named by an attacker."""
    shop.site.name = EVERYTHING[:100]
    shop.site.save()
    for number in range(3):
        shop.add(
            f"sku{number}{EVIL[: 30 * (number > 0)]}", title=EVERYTHING, brand=EVIL, category=f"{EVIL} > {EVIL}",
            description=EVERYTHING, tags=[EVIL], attributes={EVIL: EVERYTHING},
        )  # fmt: skip
    placement = Placement.objects.filter(site=shop.site).order_by("pk")[0]
    Placement.objects.filter(pk=placement.pk).update(heading=EVERYTHING[:100])
    Rule.objects.create(site=shop.site, name=EVERYTHING[:100])
    DeadLetter.objects.create(
        site=shop.site, reason="x", field=EVERYTHING[:300], detail=EVERYTHING, key=EVIL, origin="collect",
        raw=json.dumps({"title": EVERYTHING}).encode(), fingerprint="1",
    )  # fmt: skip
    shop.load()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


def is_inert(page: str) -> bool:
    """Return whether nothing of the attacker's stands in the page as markup, nor was run as a template."""
    without_data = re.sub(r'<script[^>]*type="application/json"[^>]*>.*?</script>', "", page, flags=re.DOTALL)
    return not any(
        evil in without_data for evil in (EVIL, "<img src=x", "<svg/onload", "onerror=alert(2)>", "</title></textarea>")
    )


def pages(client: Client, shop: Shop) -> dict[str, str]:
    placement = Placement.objects.filter(site=shop.site).order_by("pk")[0]
    addresses = ["/admin/", "/admin/?q=script"]
    for model in ("features_item", "recommendations_rule", "recommendations_placement", "tracking_site",
                  "tracking_deadletter", "tracking_apikey"):  # fmt: skip
        addresses.append(reverse(f"admin:{model}_changelist"))
    for model, row in (
        ("features_item", Item.objects.order_by("pk")[0]),
        ("features_item", Item.objects.order_by("-pk")[0]),
        ("recommendations_rule", Rule.objects.get()),
        ("recommendations_placement", placement),
        ("tracking_site", shop.site),
        ("tracking_deadletter", DeadLetter.objects.get()),
    ):
        addresses += [reverse(f"admin:{model}_{page}", args=[row.pk]) for page in ("change", "history")]
    addresses += [reverse("admin:tracking_deadletter_edit", args=[DeadLetter.objects.get().pk])]
    addresses += [reverse(f"admin:tracking_site_{name}", args=[shop.site.pk]) for name in ("embed", "live")]
    preview = reverse("admin:recommendations_placement_preview", args=[placement.pk])
    addresses += [preview, f"{preview}?session=sku0&rules=draft"]
    found = {}
    for address in dict.fromkeys(addresses):
        answer = client.get(address)
        assert answer.status_code == 200, address
        found[address] = answer.content.decode()
    return found


def test_names_from_a_feed_are_text_on_every_page_of_the_admin(staff: Client, shop: Shop) -> None:
    found = pages(staff, shop)
    shown = [address for address, page in found.items() if "&lt;script&gt;alert(1)" in page]
    assert len(shown) >= 12, "the names must stand on the pages, or this test shows nothing"
    assert any("preview" in address for address in shown)
    assert [address for address, page in found.items() if not is_inert(page)] == []


def test_what_is_made_up_in_a_preview_is_text_too(staff: Client, shop: Shop) -> None:
    placement = Placement.objects.filter(site=shop.site).order_by("pk")[0]
    address = reverse("admin:recommendations_placement_preview", args=[placement.pk])
    for field in ("user_id", "anonymous_id", "session", "context_item", "cart", "rules"):
        answer = staff.get(address, {"rules": "draft", field: EVERYTHING})
        assert answer.status_code == 200
        assert is_inert(answer.content.decode()), field


def test_json_answers_cannot_be_taken_for_pages(staff: Client, shop: Shop) -> None:
    answer = Client().get("/v1/items", headers={"authorization": f"Bearer {shop.secret}"})
    assert answer["Content-Type"].startswith("application/json")
    assert answer["X-Content-Type-Options"] == "nosniff"
    titles: list[Any] = [item["title"] for item in answer.json()["items"]]
    assert titles == [EVERYTHING] * 3  # kept as it came: escaping is for whoever shows it
