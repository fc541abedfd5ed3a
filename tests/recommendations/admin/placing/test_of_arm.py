"""Shipped as a draft, the form of a placement says what shipping would have saved."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.experiments import lifecycle
from recommendations.models import Arm, Experiment, Placement
from tests.recommendations.conftest import Shop

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]


def test_the_form_is_filled_in_as_shipping_would_save_it_and_nothing_is_saved(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    placement.segment_strategies = {"champions": "buy_again"}
    placement.save()
    experiment = Experiment.objects.create(site=shop.site, name="Warmer", status=Experiment.Status.RUNNING)
    experiment.placements.add(placement)
    Arm.objects.create(experiment=experiment, name="Control")
    arm = Arm.objects.create(
        experiment=experiment, name="Hello", heading="Hello", layout="carousel", strategy="new", size=5, diversity=30,
        weight_click=70, weight_margin=30,
    )  # fmt: skip
    change = reverse("admin:recommendations_placement_change", args=[placement.pk])

    draft = admin.get(f"{change}?arm={arm.pk}")
    placement.refresh_from_db()
    untouched = placement.heading
    results = admin.get(reverse("admin:recommendations_experiment_results", args=[experiment.pk])).content.decode()
    lifecycle.stop(experiment, {}, winner=arm)
    placement.refresh_from_db()
    usual = admin.get(change)

    assert untouched != "Hello"
    assert b"Nothing is saved yet" in draft.content
    filled, stored = (page.context["adminform"].form for page in (draft, usual))
    assert {name: filled[name].value() for name in filled.fields} == {
        name: stored[name].value() for name in stored.fields
    }
    assert f"{change}?arm={arm.pk}" in results
