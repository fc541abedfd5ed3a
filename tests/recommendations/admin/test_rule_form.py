"""A rule whose fields disagree, or that cannot mean anything, is refused by the name of a field."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement, Rule
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop
from tracking.models import Site

pytestmark = pytest.mark.redis


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition": "price <"}, "a value"),
        ({"items": ""}, "without a target"),
        ({"action": "pin", "items": ""}, "Name the items to pin"),
        ({"price_from": "9", "price_to": "5"}, "less than the price from"),
    ],
)
def test_a_rule_that_cannot_mean_anything_is_refused(shop: Shop, admin: Client, changes: Any, message: str) -> None:
    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, **changes))

    assert message in answer.content.decode()
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "pin", "brands": "Loam"}, "A pin takes items, or what they have in common, not both. Empty"),
        ({"stock_from": "9", "stock_to": "5"}, "Is less than the stock from 9"),
        ({"segments": ["nobody"]}, "nobody is not one of the available choices"),
    ],
)
def test_a_rule_whose_fields_disagree_names_the_field(shop: Shop, admin: Client, changes: Any, message: str) -> None:
    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, **changes))

    assert message in answer.content.decode()
    assert not Rule.objects.exists()


def test_a_rule_names_placements_of_its_own_site_alone(shop: Shop, admin: Client) -> None:
    other = Site.objects.create(slug="other", name="Other")
    foreign = Placement.objects.create(site=other, name="home")

    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, placements=[foreign.pk]))

    assert f"home belongs to Other; choose those of {shop.site}." in answer.content.decode()


def test_the_only_site_is_chosen_already_and_placements_show_their_headings(shop: Shop, admin: Client) -> None:
    Placement.objects.filter(site=shop.site, name="home_for_you").update(heading="Just for you")

    form = admin.get(reverse("admin:recommendations_rule_add")).context["adminform"].form

    assert form.initial["site"] == shop.site.pk
    assert "home_for_you · Just for you" in [label for _, label in form.fields["placements"].choices]


def test_segments_of_a_stored_rule_stay_to_be_chosen(shop: Shop, admin: Client) -> None:
    rule = Rule.objects.create(site=shop.site, name="Old", segments=["gone_since"], items=["sku1"])

    page = admin.get(reverse("admin:recommendations_rule_change", args=[rule.pk]))

    known = [name for name, _ in page.context["adminform"].form.fields["segments"].choices]
    assert known[-1] == "gone_since"
    assert "champions" in known


TIMES = {"starts_at_0": "2030-07-01", "starts_at_1": "18:00", "ends_at_0": "2030-12-01", "ends_at_1": "18:00"}


@pytest.fixture
def berlin(shop: Shop) -> Shop:
    """Return the shop with clocks of Berlin."""
    shop.site.time_zone = "Europe/Berlin"
    shop.site.save()
    return shop


def test_times_are_those_of_the_site_in_summer_and_in_winter(berlin: Shop, admin: Client) -> None:
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(berlin, **TIMES))
    rule = Rule.objects.get()

    page = admin.get(reverse("admin:recommendations_rule_change", args=[rule.pk])).content.decode()

    assert [f"{rule.starts_at:%H:%M}", f"{rule.ends_at:%H:%M}"] == ["16:00", "17:00"]
    assert "From (Europe/Berlin)" in page
    assert 'value="2030-07-01"' in page
    assert 'value="18:00:00"' in page
    assert "from 1 Jul 2030 18:00 CEST; until 1 Dec 2030 18:00 CET" in page
    assert 'data-admin-utc-offset="7200"' in page or 'data-admin-utc-offset="3600"' in page


def test_a_time_that_clocks_skip_is_named_with_its_neighbours(berlin: Shop, admin: Client) -> None:
    answer = admin.post(
        reverse("admin:recommendations_rule_add"), rule_form(berlin, starts_at_0="2030-03-31", starts_at_1="02:30")
    )

    assert "31 Mar 2030 02:30 does not exist in Europe/Berlin" in answer.content.decode()
    assert "choose 01:30 or 03:30" in answer.content.decode()
    assert not Rule.objects.exists()


def test_a_time_that_clocks_skip_is_named_in_the_language_of_the_reader(berlin: Shop, admin: Client) -> None:
    form = rule_form(berlin, starts_at_0="31.03.2030", starts_at_1="02:30")
    answer = admin.post(reverse("admin:recommendations_rule_add"), form, headers={"Accept-Language": "de"})

    assert "gibt es in Europe/Berlin nicht" in answer.content.decode()
    assert "wählen Sie 01:30 oder 03:30" in answer.content.decode()


def test_of_a_time_that_comes_twice_the_first_begins_a_rule_and_the_last_ends_it(berlin: Shop, admin: Client) -> None:
    twice = {"starts_at_0": "2030-10-27", "starts_at_1": "02:30", "ends_at_0": "2030-10-27", "ends_at_1": "02:30"}

    said = admin.post(reverse("admin:recommendations_rule_check"), rule_form(berlin, **twice)).content.decode()
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(berlin, **twice))

    rule = Rule.objects.get()
    assert [f"{rule.starts_at:%H:%M}", f"{rule.ends_at:%H:%M}"] == ["00:30", "01:30"]
    assert "comes twice in Europe/Berlin" in said
    assert "the first counts, 27 Oct 2030 02:30 CEST." in said
    assert "the last counts, 27 Oct 2030 02:30 CET." in said


@pytest.mark.parametrize("hour", range(-3, 4))
def test_a_form_that_is_saved_as_it_was_shown_keeps_its_moments(berlin: Shop, admin: Client, hour: int) -> None:
    moment = dt.datetime(2030, 10, 27, 1, 15, tzinfo=dt.UTC) + dt.timedelta(hours=hour)
    rule = Rule.objects.create(site=berlin.site, name="Night", action="exclude", items=["sku1"], starts_at=moment)
    url = reverse("admin:recommendations_rule_change", args=[rule.pk])
    form = admin.get(url).context["adminform"].form
    date, time = form["starts_at"].subwidgets[0].data["subwidgets"]

    admin.post(url, rule_form(berlin, starts_at_0=date["value"], starts_at_1=time["value"], name="Renamed"))

    rule.refresh_from_db()
    assert (rule.name, rule.starts_at) == ("Renamed", moment)


def test_of_several_sites_times_are_those_of_the_chosen_one(berlin: Shop, admin: Client) -> None:
    tokyo = Site.objects.create(slug="tokyo", name="Tokyo", time_zone="Asia/Tokyo")

    page = admin.get(reverse("admin:recommendations_rule_add")).content.decode()
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(berlin, site=tokyo.pk, **TIMES))

    assert "From (time zone of the site)" in page
    assert f"{Rule.objects.get().starts_at:%H:%M}" == "09:00"


def test_a_pin_of_what_matches_is_made_and_said_in_words(shop: Shop, admin: Client) -> None:
    form = rule_form(shop, action="pin", items="", tags="new", pin_count=2, pin_order="cheapest")

    said = admin.post(reverse("admin:recommendations_rule_check"), form).content.decode()
    admin.post(reverse("admin:recommendations_rule_add"), form)
    admin.post(
        reverse("admin:recommendations_rule_add"), rule_form(shop, name="Usual", action="pin", items="", tags="x")
    )

    assert "Pins the cheapest 2 of tag new from rank 1 on." in said
    pins = {rule.name: (rule.pin_count, rule.pin_order) for rule in Rule.objects.all()}
    assert pins == {"No hats": (2, "cheapest"), "Usual": (3, "newest")}
