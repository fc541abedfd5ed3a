"""A saved rule is a draft, a published one is served; the list says which is which, and in words."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement, Rule
from recommendations.state.placements import load_placements
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


def test_a_saved_rule_is_a_draft_and_a_published_one_is_served(shop: Shop, admin: Client) -> None:
    add = reverse("admin:recommendations_rule_add")

    admin.post(add, rule_form(shop))
    draft = load_placements(shop.site.slug).by_name["home_new"].rules
    admin.post(add, rule_form(shop, name="No shoes", recommendations_rule_save_and_publish="1"))
    published = load_placements(shop.site.slug).by_name["home_new"].rules

    assert Rule.objects.get(name="No hats").items == ["sku1", "sku2"]
    assert [draft, [rule.spec.name for rule in published]] == [(), ["No shoes"]]


def test_editing_a_published_rule_changes_nothing_until_it_is_published_again(shop: Shop, admin: Client) -> None:
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, recommendations_rule_save_and_publish="1"))
    rule = Rule.objects.get()
    change = reverse("admin:recommendations_rule_change", args=[rule.pk])

    admin.post(change, rule_form(shop, items="sku9"))
    served = load_placements(shop.site.slug).by_name["home_new"].rules[0].spec.items
    page = admin.get(reverse("admin:recommendations_rule_changelist")).content.decode()

    assert served == ("sku1", "sku2")
    assert "published, with changes" in page


def test_a_published_rule_reads_as_one_sentence_and_says_what_it_targets(shop: Shop, admin: Client) -> None:
    for number in range(4):
        shop.add(f"sku{number}", title=f"Item {number}", category="Shoes" if number % 2 else "Hats")
    shop.load()
    admin.post(
        reverse("admin:recommendations_rule_add"),
        rule_form(
            shop, action="boost", strength="3", items="", categories="Shoes", price_to="50", segments=["champions"],
            shoppers="returning", ends_at_0="2030-01-31", ends_at_1="12:00", recommendations_rule_save_and_publish="1",
        ),
    )  # fmt: skip
    rule = Rule.objects.get()

    listed = admin.get(reverse("admin:recommendations_rule_changelist")).content.decode()
    page = admin.get(reverse("admin:recommendations_rule_change", args=[rule.pk])).content.decode()

    assert (
        "Moves up category Shoes with price up to 50, 3 times; for returning shoppers; for the segments champions; "
        "until 31 Jan 2030 12:00 UTC."
    ) in listed
    assert "with changes" not in listed
    assert re.search(r"2 items, of which 2 can be shown now.*Item [13].*Item [13]", page, re.DOTALL)
    assert rule.segments == ["champions"]


def test_a_withdrawn_rule_is_a_draft_again(shop: Shop, admin: Client) -> None:
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, recommendations_rule_save_and_publish="1"))
    rule = Rule.objects.get()
    change = reverse("admin:recommendations_rule_change", args=[rule.pk])
    offered = "recommendations_rule_withdraw_rule"
    while_published = admin.get(change).content.decode()

    admin.post(change, rule_form(shop, **{offered: "1"}))

    rule.refresh_from_db()
    assert rule.published is None
    assert load_placements(shop.site.slug).by_name["home_new"].rules == ()
    assert offered in while_published
    assert offered not in admin.get(change).content.decode()


def test_several_rules_are_published_and_withdrawn_at_once(shop: Shop, admin: Client) -> None:
    for name in ("No hats", "No shoes"):
        admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, name=name))
    chosen = list(Rule.objects.values_list("pk", flat=True))
    changelist = reverse("admin:recommendations_rule_changelist")

    admin.post(changelist, {"action": "publish_selected", "_selected_action": chosen})
    published = {rule.spec.name for rule in load_placements(shop.site.slug).by_name["home_new"].rules}
    admin.post(changelist, {"action": "withdraw_selected", "_selected_action": chosen})

    assert published == {"No hats", "No shoes"}
    assert load_placements(shop.site.slug).by_name["home_new"].rules == ()


def test_a_rule_that_targets_nothing_says_so(shop: Shop, admin: Client) -> None:
    shop.add("sku9")
    shop.load()
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop))

    page = admin.get(reverse("admin:recommendations_rule_change", args=[Rule.objects.get().pk])).content.decode()

    assert "No item matches now." in page
    assert "changes no list. No item matches it." in page


def test_the_preview_of_a_rule_is_that_of_its_first_placement_with_drafts(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_new")
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, placements=[placement.pk]))
    rule = Rule.objects.get()

    answer = admin.get(reverse("admin:recommendations_rule_show_preview", args=[rule.pk]))

    assert (
        answer["Location"] == reverse("admin:recommendations_placement_preview", args=[placement.pk]) + "?rules=draft"
    )
