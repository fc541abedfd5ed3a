"""Beside the form stands what the rule does, while it is being filled in and before anything is saved."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from recommendations.models import Rule
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Return the shop with a dozen items."""
    for number in range(12):
        shop.add(f"SKU-{number}", title=f"Item {number}", brand="Loam" if number % 2 else "Alta")
    shop.load()
    return shop


def checked(admin: Client, shop: Shop, rule: Rule | None = None, **changes: Any) -> str:
    url = reverse("admin:recommendations_rule_check") + (f"?rule={rule.pk}" if rule else "")
    answer = admin.post(url, rule_form(shop, **changes))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_it_says_in_words_what_the_rule_does_and_to_how_many_items(stocked: Shop, admin: Client) -> None:
    said = checked(admin, stocked, action="boost", items="", brands="loam", name="")

    assert "Moves up brand Loam, 2 times." in said
    assert "6 items, of which 6 can be shown now." in said
    assert "Item 1" in said
    assert "Nothing is wrong with it." in said
    assert not Rule.objects.exists()


def test_it_says_what_is_wrong_before_the_rule_has_a_name(stocked: Shop, admin: Client) -> None:
    said = checked(admin, stocked, action="boost", items="", brands="Loan", name="")

    assert "“This rule” names the brand Loan. No item has that brand." in said
    assert "Did you mean Loam?" in said


def test_what_would_be_refused_and_what_asks_is_said_at_once(stocked: Shop, admin: Client) -> None:
    assert "It cannot be published like this." in checked(admin, stocked, items="", condition="price > 0")
    assert 'name="confirms"' in checked(admin, stocked, items="", condition='brand = "alta" or price > 900')  # short


def test_a_form_that_cannot_be_read_is_told_by_field(stocked: Shop, admin: Client) -> None:
    said = checked(admin, stocked, items="", condition="price <", price_from="cheap")

    assert "And by a condition" in said
    assert "Enter a number" in said


def test_a_stored_rule_is_compared_with_the_others_and_not_with_itself(stocked: Shop, admin: Client) -> None:
    admin.post(
        reverse("admin:recommendations_rule_add"),
        rule_form(stocked, action="pin", items="SKU-1", recommendations_rule_save_and_publish="1"),
    )
    rule = Rule.objects.get()

    assert "Nothing is wrong" in checked(admin, stocked, rule, action="pin", items="SKU-2")
    assert "both pin to rank 1" in checked(admin, stocked, action="pin", items="SKU-2")


def test_nobody_asks_without_a_login_or_the_right_to_see_rules(stocked: Shop, admin: Client, client: Client) -> None:
    url = reverse("admin:recommendations_rule_check")
    staff = User.objects.create_user("sam", password="x" * 16, is_staff=True)

    assert client.post(url, rule_form(stocked)).status_code == 302
    client.force_login(staff)
    assert client.post(url, rule_form(stocked)).status_code == 403
    assert admin.get(url).status_code == 405
