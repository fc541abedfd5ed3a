"""Campaigns: their rules begin, end and are switched together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import Campaign, Rule
from recommendations.state.placements import load_placements, publish
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


def test_switching_a_campaign_off_and_on_takes_its_rules_along(shop: Shop, admin: Client) -> None:
    campaign = Campaign.objects.create(site=shop.site, name="Summer", ends_at=datetime(2027, 8, 1, tzinfo=UTC))
    rule = Rule.objects.create(
        site=shop.site, name="r", action="exclude", items=["a"], campaign=campaign,
        starts_at=datetime(2027, 7, 1, tzinfo=UTC), ends_at=datetime(2028, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    publish(rule)

    def served() -> list[tuple[int | None, int | None]]:
        specs = [each.spec for each in next(iter(load_placements(shop.site.slug).by_name.values())).rules]
        return [(spec.starts_at_ms, spec.ends_at_ms) for spec in specs]

    july, august = (int(datetime(2027, month, 1, tzinfo=UTC).timestamp() * 1000) for month in (7, 8))
    assert served() == [(july, august)]  # while both hold

    url = reverse("admin:recommendations_campaign_changelist")
    admin.post(url, {"action": "switch_off", "_selected_action": [campaign.pk]})
    assert served() == []

    admin.post(url, {"action": "switch_on", "_selected_action": [campaign.pk]})
    assert served() == [(july, august)]
    page = admin.get(url).content.decode()
    assert "1 of 1 published" in page
    assert "until 1 Aug 2027" in page


def test_its_times_are_those_of_the_sites_clocks_and_its_rules_stand_on_its_page(shop: Shop, admin: Client) -> None:
    shop.add("a", title="Trail boots", image_url="https://shop.example/a.jpg")
    shop.load()
    shop.site.time_zone = "Europe/Berlin"
    shop.site.save()
    fields = {"site": shop.site.pk, "name": "Summer", "is_on": "on", "starts_at_0": "2027-07-01",
              "starts_at_1": "10:00:00"}  # fmt: skip
    add = reverse("admin:recommendations_campaign_add")
    refused = admin.post(add, {**fields, "starts_at_0": "2027-03-28", "starts_at_1": "02:30:00"}).content.decode()
    admin.post(add, fields)

    campaign = Campaign.objects.get()
    rule = Rule.objects.create(site=shop.site, name="Boots first", action="pin", items=["a"], campaign=campaign)
    change = reverse("admin:recommendations_campaign_change", args=[campaign.pk])
    page = admin.get(change).content.decode()
    admin.post(change, {**fields, "ends_at_0": "2027-10-31", "ends_at_1": "02:30:00"})
    campaign.refresh_from_db()

    assert "2027-03-28" in refused
    assert campaign.starts_at == datetime(2027, 7, 1, 8, tzinfo=UTC)
    assert campaign.ends_at == datetime(2027, 10, 31, 1, 30, tzinfo=UTC), "of two moments the last"
    assert 'value="10:00:00"' in page
    assert "From (Europe/Berlin)" in page
    assert reverse("admin:recommendations_rule_change", args=[rule.pk]) in page
    assert "https://shop.example/a.jpg" in page
