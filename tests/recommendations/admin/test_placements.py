"""Placements as merchandisers fill them in: lines in place of JSON, and names that exist."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement, Rule
from recommendations.state.placements import placement_spec
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


FORM = {
    "heading": "For you", "is_active": "on", "strategy": "for_you", "window": "24h", "size": "8", "repeats": "allow",
    "hides_cart": "on", "bought_days": "30", "repeatable": "", "diversity": "0", "max_per_category": "0",
    "max_per_brand": "0", "exploration": "0", "fallback": "popular",
    "weight_click": "0", "weight_cart": "0", "weight_purchase": "0", "weight_revenue": "0", "weight_margin": "0",
}  # fmt: skip


def test_a_source_that_nobody_offers_is_named_with_those_that_there_are(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    change = reverse("admin:recommendations_placement_change", args=[placement.pk])

    refused = admin.post(change, {**FORM, "sources": "popular\nmagic"})
    taken = admin.post(change, {**FORM, "sources": "popular\n\npopular\nrecents"})

    assert str(refused.context["adminform"].form.errors["sources"][0]).startswith("'magic' is not one of ")
    assert taken.status_code == 302
    placement.refresh_from_db()
    assert placement.sources == ["popular", "recents"]


def test_the_name_that_pages_use_stays_and_rules_are_counted(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    Rule.objects.create(site=shop.site, name="Mine", items=["sku1"]).placements.add(placement)
    Placement.objects.filter(site=shop.site, name="home_new").update(is_active=False)

    admin.post(
        reverse("admin:recommendations_placement_change", args=[placement.pk]), {**FORM, "name": "renamed", "size": "4"}
    )
    listed = admin.get(reverse("admin:recommendations_placement_changelist")).context["cl"].result_list

    placement.refresh_from_db()
    assert [placement.name, placement.size] == ["home_for_you", 4]
    assert {each.name: each.rule_count for each in listed if each.rule_count} == {"home_for_you": 1}


def test_weights_are_served_and_one_above_100_is_named(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    change = reverse("admin:recommendations_placement_change", args=[placement.pk])

    refused = admin.post(change, {**FORM, "weight_click": "101"})
    admin.post(change, {**FORM, "weight_click": "70", "weight_margin": "30"})

    assert "100" in str(refused.context["adminform"].form.errors["weight_click"][0])
    placement.refresh_from_db()
    assert placement_spec(placement, []).objectives == (("click", 70.0), ("margin", 30.0))
    assert placement_spec(Placement.objects.get(site=shop.site, name="home_new"), []).objectives == ()
