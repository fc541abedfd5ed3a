"""A rule whose fields disagree, or that cannot mean anything, is refused by the name of a field."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement, Rule
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop
from tracking.models import Site

pytestmark = pytest.mark.redis


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition": "price <"}, "a value"),
        ({"items": ""}, "without a target"),
        ({"action": "pin", "items": ""}, "Name the items to pin"),
        ({"price_from": "9", "price_to": "5"}, "less than the price from"),
    ],
)
def test_a_rule_that_cannot_mean_anything_is_refused(shop: Shop, admin: Client, changes: Any, message: str) -> None:
    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, **changes))

    assert message in answer.content.decode()
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "pin", "brands": "Loam"}, "A pin takes items alone. Empty this field"),
        ({"stock_from": "9", "stock_to": "5"}, "Is less than the stock from 9"),
        ({"segments": ["nobody"]}, "nobody is not one of the available choices"),
    ],
)
def test_a_rule_whose_fields_disagree_names_the_field(shop: Shop, admin: Client, changes: Any, message: str) -> None:
    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, **changes))

    assert message in answer.content.decode()
    assert not Rule.objects.exists()


def test_a_rule_names_placements_of_its_own_site_alone(shop: Shop, admin: Client) -> None:
    other = Site.objects.create(slug="other", name="Other")
    foreign = Placement.objects.create(site=other, name="home")

    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, placements=[foreign.pk]))

    assert f"home belongs to Other; choose those of {shop.site}." in answer.content.decode()


def test_the_only_site_is_chosen_already_and_placements_show_their_headings(shop: Shop, admin: Client) -> None:
    Placement.objects.filter(site=shop.site, name="home_for_you").update(heading="Just for you")

    form = admin.get(reverse("admin:recommendations_rule_add")).context["adminform"].form

    assert form.initial["site"] == shop.site.pk
    assert "home_for_you · Just for you" in [label for _, label in form.fields["placements"].choices]


def test_segments_of_a_stored_rule_stay_to_be_chosen(shop: Shop, admin: Client) -> None:
    rule = Rule.objects.create(site=shop.site, name="Old", segments=["gone_since"], items=["sku1"])

    page = admin.get(reverse("admin:recommendations_rule_change", args=[rule.pk]))

    known = [name for name, _ in page.context["adminform"].form.fields["segments"].choices]
    assert known[-1] == "gone_since"
    assert "champions" in known
