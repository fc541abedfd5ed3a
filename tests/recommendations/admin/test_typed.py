"""Lists are understood in the catalogue's spelling, whatever they were pasted from."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.admin.typed import understood
from recommendations.models import Rule
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Return the shop with ids, brands and categories that are hard to paste."""
    shop.add("SKU-1", brand="Kite & Sons", category="Women > Shoes, flat", tags=["New in"])
    shop.add("SKU-2", brand="Loam", group_id="Parent")
    shop.add("39910", brand="Wine, red")
    shop.add("A 7")
    shop.load()
    return shop


@pytest.mark.parametrize(
    ("kind", "pasted", "entries"),
    [
        ("items", "sku-1, SKU-2;39910.0\tA 7 nobody", ["SKU-1", "SKU-2", "39910", "A", "7", "nobody"]),
        ("items", "“sku-1”\nA 7\na 7\nparent", ["SKU-1", "A 7", "Parent"]),
        ("brands", "LOAM; kite & sons", ["Loam", "Kite & Sons"]),
        ("brands", "wine, red\nLoan", ["Wine, red", "Loan"]),
        ("categories", "women>shoes, flat", ["Women > Shoes, flat"]),
        ("tags", "new in, sale", ["new in", "sale"]),
    ],
)
def test_a_list_is_split_and_spelt(stocked: Shop, kind: str, pasted: str, entries: list[str]) -> None:
    assert understood(kind, pasted.splitlines(), stocked.site) == entries


def test_without_a_site_lists_are_only_split() -> None:
    assert understood("items", ["a, b"], None) == ["a", "b"]
    assert understood("brands", ["a b; c"], None) == ["a b", "c"]


def test_a_rule_keeps_what_was_understood(stocked: Shop, admin: Client) -> None:
    admin.post(
        reverse("admin:recommendations_rule_add"), rule_form(stocked, items="sku-1,sku-2\n39910.0", brands="loam")
    )

    rule = Rule.objects.get()
    assert (rule.items, rule.brands) == (["SKU-1", "SKU-2", "39910"], ["Loam"])


def test_names_beside_the_field_are_those_that_are_understood_and_the_nearest(stocked: Shop, admin: Client) -> None:
    url = reverse("admin:recommendations_rule_suggest")

    entries = admin.get(url, {"kind": "items", "names": "sku-1, SKU-3", "site": str(stocked.site.pk)}).json()["entries"]

    assert [(entry["value"], bool(entry["label"]), entry.get("near")) for entry in entries] == [
        ("SKU-1", True, None), ("SKU-3", False, "SKU-1"),
    ]  # fmt: skip
