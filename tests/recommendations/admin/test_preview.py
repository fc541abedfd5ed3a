"""The list before and after the rules, side by side, with the why of each item."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop
from tracking.models import Membership

pytestmark = pytest.mark.redis


def test_the_preview_shows_the_list_before_and_after_with_the_why(shop: Shop, admin: Client) -> None:
    for number in range(12):
        shop.add(f"sku{number}", title=f"Item <b>{number}</b>", category="Shoes" if number % 2 else "Hats")
    shop.load()
    admin.post(
        reverse("admin:recommendations_rule_add"),
        rule_form(
            shop, name="Campaign", action="pin", items="sku10", position=1, recommendations_rule_save_and_publish="1"
        ),
    )
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    url = reverse("admin:recommendations_placement_preview", args=[placement.pk])

    answer = admin.get(url, {"session": "sku1\nsku3", "rules": "published"})

    after = answer.context["after"]
    assert [answer.context["before"][0].why.item_id, after[0].why.item_id] == ["sku3", "sku10"]
    position_before = [shown.why.item_id for shown in answer.context["before"]].index("sku10")
    assert [after[0].why.rules[0].name, after[0].moved] == ["Campaign", f"up {position_before}"]
    sources = [{source.source for source in shown.why.sources} for shown in after]
    assert "recents" in sources[1]  # what was looked at is not listed once more for being like itself
    assert any("content" in of_item for of_item in sources[1:])
    page = answer.content.decode()
    assert "Item &lt;b&gt;10&lt;/b&gt;" in page  # product names are data, never markup
    assert "Item <b>" not in page


def test_staff_without_rights_see_no_preview(shop: Shop, client: Client, django_user_model: Any) -> None:
    clerk = django_user_model.objects.create_user("clerk", password="x" * 20, is_staff=True)
    client.force_login(clerk)
    placement = Placement.objects.filter(site=shop.site).first()
    assert placement is not None
    url = reverse("admin:recommendations_placement_preview", args=[placement.pk])

    assert client.get(url).status_code == 404  # who is a member of no site is not told what there is

    Membership.objects.create(site=shop.site, user=clerk, role=Group.objects.create(name="Sees nothing"))
    assert client.get(url).status_code == 403


def test_drafts_count_only_where_they_are_asked_for(shop: Shop, admin: Client) -> None:
    for number in range(12):
        shop.add(f"sku{number}")
    shop.load()
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, action="pin", items="sku10"))
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    url = reverse("admin:recommendations_placement_preview", args=[placement.pk])

    first = {
        rules: admin.get(url, {"session": "sku1", "rules": rules}).context["after"][0].why.item_id
        for rules in ("published", "draft")
    }

    assert first["draft"] == "sku10"
    assert first["published"] != "sku10"


def test_what_a_rule_takes_out_is_named_with_the_rule(shop: Shop, admin: Client) -> None:
    for number in range(12):
        shop.add(f"sku{number}")
    shop.load()
    admin.post(
        reverse("admin:recommendations_rule_add"),
        rule_form(shop, name="No threes", items="sku3", recommendations_rule_save_and_publish="1"),
    )
    placement = Placement.objects.get(site=shop.site, name="home_for_you")

    answer = admin.get(
        reverse("admin:recommendations_placement_preview", args=[placement.pk]), {"session": "sku1\nsku3"}
    )

    assert [shown.why.item_id for shown in answer.context["gone"]] == ["sku3"]
    assert ("sku3", "kept out by a rule", "No threes") in answer.context["filtered"]
    assert not answer.context["is_same"]
