"""The widget beside a placement's form: filled as the form says, nothing saved, mistakes named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement
from tests.recommendations.conftest import Shop

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def placement(shop: Shop) -> Placement:
    for number in range(6):
        shop.add(f"SKU-{number}", title=f"Boots {number}", price_minor=1_000 * (number + 1))
    made = Placement.objects.create(site=shop.site, name="trial", strategy="new", size=4, heading="For you")
    shop.load()
    return made


def tried(client: Client, placement: Placement, **changes: str) -> Any:
    page = client.get(reverse("admin:recommendations_placement_change", args=[placement.pk]))
    assert b"data-trial-url" in page.content
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    typed = {
        name: "on" if value is True else str(value)
        for name, value in values.items()
        if value is not None and value is not False  # a browser sends a 0
    }
    address = reverse("admin:recommendations_placement_trial", args=[placement.pk])
    answer = client.post(address, json.dumps({"draft": list({**typed, **changes}.items())}), "application/json")
    assert answer.status_code == 200
    return answer.json()


def test_the_list_is_filled_as_the_form_says_and_nothing_is_saved(placement: Placement, admin: Client) -> None:
    (shown,) = tried(admin, placement)["results"]
    assert (len(shown["items"]), shown["heading"], shown["placement"]) == (4, "For you", "trial")
    (shown,) = tried(admin, placement, size="2", condition="price < 35", heading="Cheap")["results"]
    assert (len(shown["items"]), shown["heading"]) == (2, "Cheap")
    assert all(item["price"] < 35 for item in shown["items"])
    placement.refresh_from_db()
    assert (placement.size, placement.condition, placement.heading) == (4, "", "For you")


def test_a_mistake_is_named_and_nothing_is_shown(placement: Placement, admin: Client) -> None:
    answer = tried(admin, placement, condition="pricee < 35")
    assert answer["results"] == []
    assert "pricee" in answer["problem"]


def test_a_body_that_is_none_is_refused(placement: Placement, admin: Client) -> None:
    address = reverse("admin:recommendations_placement_trial", args=[placement.pk])
    assert admin.post(address, "[]", "application/json").json()["field"] == "body"


def test_the_list_is_that_of_somebody_who_looked_at_what_is_entered(placement: Placement, admin: Client) -> None:
    def listed(**changes: str) -> list[str]:
        (shown,) = tried(admin, placement, strategy="recently_viewed", fallback="empty", **changes)["results"]
        return [item["item_id"] for item in shown["items"]]

    assert listed() == []
    assert listed(trial_session="SKU-1\nsku-4") == ["SKU-4", "SKU-1"]


def test_weights_that_no_version_has_learnt_yet_change_nothing(placement: Placement, admin: Client) -> None:
    visit = {"strategy": "for_you", "trial_session": "SKU-1"}
    (plain,), (weighed,) = (
        tried(admin, placement, **visit, **weights)["results"] for weights in ({}, {"weight_revenue": "100"})
    )
    assert weighed == plain
    assert len(plain["items"]) == 4
