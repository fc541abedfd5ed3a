"""The home page's figures against the period before, and the page as a visitor opens it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client

from features.models import Item
from recommendations.models import Placement, ReportHour, ReportItemDay
from recsite.backoffice.trends import trends
from tracking.models import Site

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
NOW = dt.datetime(2026, 11, 29, 15, 30, tzinfo=dt.UTC)


@pytest.fixture
def site() -> Site:
    cache.clear()
    made = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    Placement.objects.create(site=made, name="home")
    Item.objects.create(site=made, item_id="S1", title="Boots", image_url="https://shop.example/boots.jpg")
    for back, clicks, revenue in ((0, 30, 9_000), (7, 20, 6_000)):
        at = NOW - dt.timedelta(days=back, hours=3)
        hour = int(at.timestamp()) // 3_600 * 3_600
        common = {"site": made, "utc_day": hour // 86_400, "hour": hour, "placement": "home"}
        ReportHour.objects.create(**common, impressions=1_000, clicks=clicks)
        ReportHour.objects.create(**common, attribution="last_click_1d", orders=3, revenue=revenue)
        ReportItemDay.objects.create(
            site=made, utc_day=hour // 86_400, day=at.date(), item_id="S1", clicks=clicks, revenue=revenue
        )
    late = int((NOW - dt.timedelta(days=7)).timestamp()) // 3_600 * 3_600 + 2 * 3_600  # later than it is today
    ReportHour.objects.create(site=made, utc_day=late // 86_400, hour=late, placement="home", impressions=99_999)
    return made


def test_figures_stand_against_the_same_hours_of_the_period_before(site: Site) -> None:
    found = trends(site, {"days": "7", "show": "click_rate"}, now=NOW)
    cards = {card.metric: card for card in found["cards"]}
    assert cards["impressions"].change_text == "±0.0 %", "what came later that day does not count"
    assert (cards["revenue"].value, cards["revenue"].change_text, cards["revenue"].tone) == (
        "EUR 90.00",
        "+50.0 %",
        "up",
    )
    assert cards["click_rate"].value == "3.00 %"
    assert found["chart"]["now"][-1] == pytest.approx(3.0)
    assert len(found["chart"]["labels"]) == len(found["chart"]["before"]) == 7
    ((moved,), lost) = found["moved"]["won"], found["moved"]["lost"]
    assert (moved.title, moved.picture, moved.difference, lost) == (
        "Boots", "https://shop.example/boots.jpg", "+30.00", [],
    )  # fmt: skip


def test_another_period_is_chosen_by_the_address_and_nonsense_is_the_usual(site: Site) -> None:
    assert trends(site, {"days": "28"}, now=NOW)["days"] == 28
    assert trends(site, {"days": "x", "show": "y"}, now=NOW)["days"] == 7


@pytest.mark.redis
def test_the_page_says_so_where_no_hold_out_runs_and_draws_with_a_library_that_is_there(site: Site) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend")
    page = client.get("/admin/", {"show": "orders"}).content.decode()
    assert "Incremental revenue" in page
    assert "The chart as a table" in page
    assert finders.find("unfold/js/chart/chart.js"), "the chart library comes with Unfold"
