"""Beside the weights stands which of them count, and what the others lack."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.admin.placing.learnt import learnt_words
from recommendations.models import ModelVersion, Placement
from tests.recommendations.conftest import Shop

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


@pytest.fixture
def placement(shop: Shop) -> Placement:
    return Placement.objects.get(site=shop.site, name="home_for_you")


def live(shop: Shop, ranker: dict[str, Any] | None) -> None:
    ModelVersion.objects.create(
        site=shop.site, version="v1", status=ModelVersion.Status.LIVE, manifest={"ranker": ranker}
    )


@pytest.mark.expects_errors(r"live_models\.refused")
def test_it_says_what_is_learnt_and_how_much_is_missing(shop: Shop, admin: Client, placement: Placement) -> None:
    entries = {"click": {"scores": [0.0, 1.0], "positives": 900}, "cart": {"scores": [], "positives": 31}}
    live(shop, {"objectives": entries})

    page = admin.get(reverse("admin:recommendations_placement_change", args=[placement.pk])).content.decode()

    for said in ("Clicks: learnt.", "Add-to-carts: not yet, 31 of at least 200", "Purchases: not yet, 0 of"):
        assert said in page, said


@pytest.mark.parametrize("ranker", [None, {"graph": "ranker.onnx", "columns": []}])
def test_a_version_of_an_older_release_has_learnt_none(
    shop: Shop, placement: Placement, ranker: dict[str, Any] | None
) -> None:
    assert "No version is live" in learnt_words(placement)
    live(shop, ranker)
    assert "has learnt none of these" in learnt_words(placement)


def test_a_strategy_that_no_ranker_orders_is_named(placement: Placement) -> None:
    placement.strategy = "trending"
    assert "weights change nothing" in learnt_words(placement)
    placement.segment_strategies = {"champions": "for_you"}
    assert "No version is live" in learnt_words(placement)
