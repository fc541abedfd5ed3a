"""Recall an item everywhere: one button, and no list holds it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import RecalledItem
from recommendations.pipeline.query import ListQuery
from recommendations.state.placements import load_placements
from tests.recommendations.conftest import Shop
from tests.recommendations.worlds import item_index, served

pytestmark = pytest.mark.redis


def recalled(admin: Client, shop: Shop, item_id: str, **values: str) -> str:
    url = reverse("admin:recommendations_recalleditem_recall")
    answer = admin.post(url, {"site": shop.site.pk, "item_id": item_id, **values}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_one_post_recalls_an_item_in_every_list_and_another_releases_it(shop: Shop, admin: Client) -> None:
    shop.add("SKU-1")
    shop.load()
    on = item_index({"item_id": "SKU-1"}, {}, {})

    said = recalled(admin, shop, "sku-1")

    assert "SKU-1 is recalled" in said
    found = load_placements(shop.site.slug)
    assert all(spec.rules[0].spec.items == ("SKU-1",) for spec in found.by_name.values())
    pinned = next(iter(found.by_name.values()))
    assert "SKU-1" not in [on.item_id(row) for row in served(on, pinned).rows]
    stamp = found.stamp

    recalled(admin, shop, "SKU-1", release="1")

    assert not RecalledItem.objects.exists()
    assert load_placements(shop.site.slug).recalled == ()
    assert load_placements(shop.site.slug).stamp != stamp  # cached lists go with it


def test_nothing_is_recalled_without_an_id_or_by_reading(shop: Shop, admin: Client) -> None:
    assert "Name the item to recall" in recalled(admin, shop, " ")
    assert admin.get(reverse("admin:recommendations_recalleditem_recall")).status_code == 405
    assert not RecalledItem.objects.exists()


def test_it_is_a_rule_of_lists_behind_which_no_placement_stands(shop: Shop) -> None:
    RecalledItem.objects.create(site=shop.site, item_id="sku0")
    rules = load_placements(shop.site.slug).recalled
    on = item_index(n=3)
    from dataclasses import replace

    from recommendations.serving.service import RANK_PLACEMENT  # what POST /v1/rank uses without a placement

    query = ListQuery(placement=replace(RANK_PLACEMENT, rules=rules), limit=3, candidates=("sku0", "sku2"))
    assert [on.item_id(row) for row in served(on, query.placement, candidates=query.candidates).rows] == ["sku2"]
