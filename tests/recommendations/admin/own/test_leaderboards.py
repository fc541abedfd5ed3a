"""Leaderboards in the admin: who leads, a formula tried before it is saved, and what is wrong with one that is none."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import HttpSource, Leaderboard, Placement
from recommendations.state.own_sources import watch_own_sources
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(4):
        shop.add(
            f"sku{number}", title=f"Boot {number}", price_minor=1000 * (number + 1), attributes={"stars": 4 - number}
        )
    shop.load()
    return shop


def form(shop: Shop, **changes: Any) -> dict[str, Any]:
    return {
        "site": shop.site.pk, "name": "dear", "label": "", "is_active": "on", "formula": "price * 2", "weight": "1",
        **changes,
    }  # fmt: skip


def test_a_saved_formula_is_shown_with_who_leads_and_served(stocked: Shop, admin: Client) -> None:
    answer = admin.post(reverse("admin:recommendations_leaderboard_add"), form(stocked))
    board = Leaderboard.objects.get()
    Placement.objects.filter(site=stocked.site, name="home_trending").update(sources=["dear"])
    watch_own_sources(stocked.site.slug).reload()
    state = stocked.load()

    page = admin.get(reverse("admin:recommendations_leaderboard_change", args=[board.pk]))

    assert answer.status_code == 302
    assert [(one["card"].title, one["value"]) for one in page.context["leaders"]][:2] == [
        ("Boot 3", 80),
        ("Boot 2", 60),
    ]
    served = state.serving.for_user(None, now_ms=0).own["dear"].retrieve(None, None, None, window="")  # type: ignore[arg-type]
    assert [state.serving.item_index.item_id(row) for row in served.rows] == ["sku3", "sku2", "sku1", "sku0"]
    preview = admin.get(
        reverse("admin:recommendations_placement_preview", args=[Placement.objects.get(name="home_trending").pk]),
        {"context_item": "sku0"},
    )
    assert [shown.why.reason for shown in preview.context["after"]] == ["dear"] * 3  # the item of the page is none


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("price * views_7dd", "At character 9: “views_7dd” is no figure; there are views_7d"),
        ("price + attributes.size", "At character 9: no item has a number as “attributes.size”"),
        ("price +", "this is no formula"),
    ],
)
def test_what_is_no_formula_is_not_saved_and_the_page_says_where(
    stocked: Shop, admin: Client, text: str, says: str
) -> None:
    refused = admin.post(reverse("admin:recommendations_leaderboard_add"), form(stocked, formula=text))
    tried = admin.get(reverse("admin:recommendations_leaderboard_try"), {"site": stocked.site.slug, "formula": text})

    assert says in str(refused.context["adminform"].form.errors["formula"])
    assert says in tried.context["problem"]
    assert "<mark>" in tried.content.decode()
    assert not Leaderboard.objects.exists()


def test_a_formula_is_tried_without_being_saved(stocked: Shop, admin: Client) -> None:
    url = reverse("admin:recommendations_leaderboard_try")

    empty = admin.get(url)
    tried = admin.get(url, {"site": stocked.site.slug, "formula": "attributes.stars / price"})

    assert "leaders" not in empty.context
    assert [one["card"].title for one in tried.context["leaders"]] == ["Boot 0", "Boot 1", "Boot 2", "Boot 3"]
    assert tried.context["leaders"][0]["figures"] == [
        {"name": "attributes.stars", "value": 4.0}, {"name": "price", "value": 10.0},
    ]  # fmt: skip
    assert "Boot 0" in tried.content.decode()


def test_one_name_means_one_source(stocked: Shop, admin: Client) -> None:
    HttpSource.objects.create(site=stocked.site, name="dear", url="https://recs.example.com/")

    answer = admin.post(reverse("admin:recommendations_leaderboard_add"), form(stocked))

    assert "another source of this site" in str(answer.context["adminform"].form.errors["name"])
