"""The page of reports: shown, refused, kept as a view, taken away as CSV."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement, ReportHour, SavedView
from tracking.models import Membership, Site

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
PAGE = "admin:recommendations_savedview_report"


@pytest.fixture
def site() -> Site:
    made = Site.objects.create(slug="shop", name="Shop")
    Placement.objects.create(site=made, name="home")
    hour = int(time.time()) // 3_600 * 3_600
    common = {"site": made, "utc_day": hour // 86_400, "hour": hour, "placement": "home"}
    ReportHour.objects.create(**common, impressions=400, clicks=10)
    ReportHour.objects.create(**common, attribution="last_click_1d", orders=2, revenue=12_345)
    ReportHour.objects.create(**common, attribution="linear_7d", orders=2.5, revenue=20_000)
    return made


def member(site: Site, role: str, name: str = "ada") -> Client:
    user = get_user_model().objects.create_user(name, is_staff=True)
    Membership.objects.create(site=site, user=user, role=Group.objects.get(name=role))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_figures_follow_the_attribution_that_is_asked_for(site: Site) -> None:
    client = member(site, "Viewer")
    assert b"EUR 123.45" in client.get(reverse(PAGE)).content
    page = client.get(reverse(PAGE), {"attribution": "linear_7d"}).content.decode()
    assert "EUR 200.00" in page
    assert "2.5" in page


def test_a_wrong_question_is_named_and_the_usual_report_shown(site: Site) -> None:
    page = member(site, "Viewer").get(reverse(PAGE), {"by": "colour"}).content.decode()
    assert "by is &#x27;colour&#x27;" in page
    assert "EUR 123.45" in page


def test_a_file_has_the_rows_of_the_page(site: Site) -> None:
    answer = member(site, "Viewer").get(reverse(PAGE), {"format": "csv", "by": "placement"})
    assert "shop-placement-last_click_1d" in answer["Content-Disposition"]
    assert answer.content.decode().splitlines()[1] == "home,0,400,10,0,2,0,123.45"


def test_what_is_shown_is_kept_under_a_name_and_opened_again(site: Site) -> None:
    client = member(site, "Analyst")
    address = reverse("admin:recommendations_savedview_add") + "?query=site%3Dshop%26by%3Dday%26span%3D28"
    form: dict[str, Any] = {"site": site.pk, "name": "By day", "schedule": "weekly", "hour": 7}
    assert b"Name who gets the e-mail" in client.post(address, form).content
    assert client.post(address, {**form, "recipients": "not-an-address"}).status_code == 200
    assert client.post(address, {**form, "recipients": "ada@shop.example", "is_shared": "on"}).status_code == 302
    view = SavedView.objects.get()
    assert (view.query, view.owner.get_username()) == (
        {"span": "28", "by": "day", "attribution": "last_click_1d"},
        "ada",
    )
    assert view.due_at is not None
    assert b"By day" in client.get(reverse(PAGE)).content
    others = member(site, "Analyst", "ben")
    assert b"By day" in others.get(reverse(PAGE)).content
    assert others.post(reverse("admin:recommendations_savedview_change", args=[view.pk]), form).status_code == 403


def test_who_may_see_no_reports_sees_none(site: Site) -> None:
    client = Client()
    client.force_login(
        get_user_model().objects.create_user("eve", is_staff=True), "django.contrib.auth.backends.ModelBackend"
    )
    assert client.get(reverse(PAGE)).status_code == 403
