"""What was published can be read with author and difference, and gone back to; two editors are told of each other."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement, Rule, RuleVersion
from recommendations.state.placements import load_placements
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop
from tracking.models import Membership

pytestmark = pytest.mark.redis

PUBLISH = {"recommendations_rule_save_and_publish": "1"}


def post(admin: Client, shop: Shop, rule: Rule | None = None, **changes: Any) -> str:
    url = reverse(f"admin:recommendations_rule_{'change' if rule else 'add'}", args=[rule.pk] if rule else [])
    return admin.post(url, rule_form(shop, action="boost", **changes), follow=True).content.decode()


def versions(admin: Client, rule: Rule) -> str:
    return " ".join(
        admin.get(reverse("admin:recommendations_rule_history_of", args=[rule.pk])).content.decode().split()
    )


def go_back(admin: Client, rule: Rule, version: str) -> str:
    url = reverse("admin:recommendations_rule_history_of", args=[rule.pk])
    return admin.post(url, {"version": version}, follow=True).content.decode()


def test_each_publishing_is_a_version_with_author_and_what_changed(shop: Shop, admin: Client) -> None:
    post(admin, shop, strength=2, **PUBLISH)
    rule = Rule.objects.get()
    post(admin, shop, rule, strength=3, items="sku1", ends_at_0="2030-01-31", ends_at_1="12:00", **PUBLISH)

    page = versions(admin, rule)

    assert "2: published" in page
    assert "by admin" in page
    assert "<dt>Strength</dt><dd><del>2</del> <ins>3</ins></dd>" in page
    assert "<dt>Items</dt><dd><del>sku1, sku2</del> <ins>sku1</ins></dd>" in page
    assert "<dt>Until</dt><dd><ins>31 Jan 2030 12:00 UTC</ins></dd>" in page


def test_going_back_changes_the_form_and_pages_follow_once_it_is_published(shop: Shop, admin: Client) -> None:
    home = Placement.objects.get(site=shop.site, name="home_new")
    post(admin, shop, strength=2, placements=[home.pk], starts_at_0="2020-01-31", starts_at_1="12:00", **PUBLISH)
    rule = Rule.objects.get()
    first = rule.published
    post(admin, shop, rule, strength=9, items="sku7", name="Other", **PUBLISH)

    said = go_back(admin, rule, "1")
    served = load_placements(shop.site.slug).by_name["home_new"].rules[0].spec

    rule.refresh_from_db()
    assert "says again what version 1 said" in said
    assert (served.strength, rule.strength, rule.items, rule.name) == (9, 2, ["sku1", "sku2"], "No hats")
    admin.post(
        reverse("admin:recommendations_rule_changelist"), {"action": "publish_selected", "_selected_action": [rule.pk]}
    )
    rule.refresh_from_db()
    assert rule.published == first


def test_a_draft_is_discarded_by_going_back_to_what_is_published(shop: Shop, admin: Client) -> None:
    post(admin, shop, strength=2, **PUBLISH)
    rule = Rule.objects.get()
    post(admin, shop, rule, strength=5)

    assert "Changes that are not published yet" in versions(admin, rule)
    go_back(admin, rule, "published")

    rule.refresh_from_db()
    assert rule.strength == 2
    assert "Changes that are not published yet" not in versions(admin, rule)


def test_a_placement_that_is_gone_is_said_and_a_version_that_is_none_is_refused(shop: Shop, admin: Client) -> None:
    home = Placement.objects.get(site=shop.site, name="home_new")
    cart = Placement.objects.get(site=shop.site, name="cart_goes_with")
    post(admin, shop, placements=[home.pk, cart.pk], **PUBLISH)
    rule = Rule.objects.get()
    cart.delete()

    assert "The site has no placement cart_goes_with any more" in go_back(admin, rule, "1")
    assert [row.name for row in rule.placements.all()] == ["home_new"]
    for nonsense in ("99", "", "x", "-1"):
        assert "There is no version" in go_back(admin, rule, nonsense)


def test_withdrawing_and_deleting_are_versions_and_the_report_keeps_the_name(shop: Shop, admin: Client) -> None:
    post(admin, shop, **PUBLISH)
    rule = Rule.objects.get()
    post(admin, shop, rule, recommendations_rule_withdraw_rule="1")
    number = rule.pk

    admin.post(reverse("admin:recommendations_rule_delete", args=[number]), {"post": "yes"})

    assert not Rule.objects.exists()
    kinds = RuleVersion.objects.filter(rule_number=number).values_list("kind", "name", "author")
    assert list(kinds) == [(kind, "No hats", "admin") for kind in ("published", "withdrawn", "deleted")]


def test_somebody_who_may_only_look_goes_back_to_nothing(shop: Shop, admin: Client, client: Client) -> None:
    post(admin, shop, **PUBLISH)
    rule = Rule.objects.get()
    sam = User.objects.create_user("sam", password="x" * 16, is_staff=True)
    Membership.objects.create(site=shop.site, user=sam, role=Group.objects.get(name="Viewer"))
    client.force_login(sam)
    url = reverse("admin:recommendations_rule_history_of", args=[rule.pk])

    assert client.get(url).status_code == 200
    assert client.post(url, {"version": "1"}).status_code == 403


def test_two_people_on_one_rule_are_told_of_each_other_and_nothing_is_lost_silently(
    shop: Shop, admin: Client, client: Client
) -> None:
    post(admin, shop, strength=2)
    rule = Rule.objects.get()
    opened = rule.revision
    ben = Client()
    ben.force_login(User.objects.create_superuser("ben", password="x" * 16))
    post(ben, shop, rule, strength=7, opened_revision=opened)

    url = reverse("admin:recommendations_rule_change", args=[rule.pk])
    mine = rule_form(shop, action="boost", strength=3, name="Mine", opened_revision=opened)
    answer = admin.post(url, mine)

    assert "Not saved: ben has changed this rule since you opened it" in answer.content.decode()
    assert "Theirs differs from yours in: Name, Strength." in answer.content.decode()
    rule.refresh_from_db()
    assert rule.strength == 7
    # Sent again, with the revision that the page now holds, it overwrites.
    told = answer.context["adminform"].form["opened_revision"].value()
    assert admin.post(url, {**mine, "opened_revision": told}).status_code == 302
    rule.refresh_from_db()
    assert (rule.strength, rule.name, rule.updated_by) == (3, "Mine", "admin")
