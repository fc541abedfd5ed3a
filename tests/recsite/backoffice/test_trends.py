"""The home page's figures against the period before, and the page as a visitor opens it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from features.models import Item
from recommendations.models import Placement, ReportHour, ReportItemDay
from recommendations.reports.figures import Span, by_day, grouped, summed, total
from recsite.backoffice.trends import trends
from tracking.models import Site

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
MOST_QUERIES = 22
"""Of the page with its session and its user, once what is kept in memory is loaded."""
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


@pytest.mark.redis
def test_the_page_asks_each_thing_once_whatever_the_number_of_placements_and_days(site: Site) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend")
    few = queries_of(client, {"days": "7"})
    hour = int(dt.datetime.now(dt.UTC).timestamp()) // 3_600 * 3_600
    for number in range(8):
        Placement.objects.create(site=site, name=f"list-{number}")
        for day in range(0, 56, 3):
            at = hour - day * 86_400
            ReportHour.objects.create(
                site=site, utc_day=at // 86_400, hour=at, placement=f"list-{number}", impressions=9, apart={"JPY": 5}
            )
    many = queries_of(client, {"days": "28"})

    assert len(many) <= MOST_QUERIES, "\n".join(many)
    assert len(many) == len(few)
    assert sum("recommendations_modelversion" in one for one in many) == 1, "the live version is asked for once"
    assert sum('FROM "tracking_deadletter"' in one for one in many) == 1, "dead letters are counted once"


def queries_of(client: Client, query: dict[str, str]) -> list[str]:
    for _ in range(2):  # loads what is kept in memory
        client.get("/admin/", query)
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/admin/", query).status_code == 200
    return [one["sql"] for one in captured]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
def test_the_days_of_a_span_make_up_its_total(site: Site, zone: str) -> None:
    site.time_zone = zone
    for hour in range(int(dt.datetime(2026, 10, 23, tzinfo=dt.UTC).timestamp()), int(NOW.timestamp()), 5 * 3_600):
        ReportHour.objects.create(
            site=site, utc_day=hour // 86_400, hour=hour, placement="list", impressions=hour % 97, clicks=3, carts=0.5
        )
    for now in (NOW, dt.datetime(2026, 10, 26, 1, 30, tzinfo=dt.UTC)):  # the day after clocks went back
        span = Span.up_to(now, 28, site.zone)
        whole = summed(by_day(site, span).values(), site.currency)
        assert whole == total(site, span)
        assert whole.impressions > 0


def test_what_no_rate_converts_is_left_out_of_groups_where_it_is_not_shown(site: Site) -> None:
    hour = int(NOW.timestamp()) // 3_600 * 3_600
    ReportHour.objects.create(site=site, utc_day=hour // 86_400, hour=hour, placement="home", apart={"JPY": 6_000})
    span = Span.up_to(NOW, 7, site.zone)
    (full,), (bare,) = (grouped(site, span, "placement", with_apart=each) for each in (True, False))

    assert (full.apart, bare.apart) == ({"JPY": 6_000}, {})
    assert (full.revenue, full.clicks, full.orders) == (bare.revenue, bare.clicks, bare.orders) == (9_000, 30, 3)
    assert summed([full, full], site.currency).apart == {"JPY": 12_000}
