"""Saved views by e-mail: when they are due, that each is sent once, and what happens when it cannot be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st

from recommendations.models import Placement, ReportHour, SavedView
from recommendations.reports.mails import next_due, send_due
from recsite.mail import mail_settings
from tracking.models import Membership, Site

MOMENTS = st.integers(1_767_225_600, 1_830_000_000).map(lambda at: dt.datetime.fromtimestamp(at, dt.UTC))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])


@given(MOMENTS, ZONES, st.integers(0, 23), st.sampled_from(["daily", "weekly", "monthly"]))
def test_a_view_is_due_at_its_hour_of_the_site_s_day(after: dt.datetime, zone: str, hour: int, schedule: str) -> None:
    view = SavedView(site=Site(time_zone=zone), schedule=schedule, hour=hour)
    due = next_due(view, after)
    assert due is not None
    local = due.astimezone(view.site.zone)
    assert due > after
    assert due - after <= dt.timedelta(days={"daily": 1, "weekly": 7, "monthly": 31}[schedule], hours=2)
    assert abs(local.hour - hour) <= 1, "an hour that clocks skip comes an hour later"
    assert schedule != "weekly" or local.weekday() == 0
    assert schedule != "monthly" or local.day == 1


def test_a_view_without_a_schedule_is_never_due() -> None:
    assert next_due(SavedView(site=Site(), schedule=""), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) is None


@pytest.fixture
def view(db: Any) -> SavedView:
    site = Site.objects.create(slug="mailed", name="Mailed", time_zone="Europe/Berlin")
    Placement.objects.create(site=site, name="home")
    owner = get_user_model().objects.create_user("ada", is_staff=True)
    Membership.objects.create(site=site, user=owner, role=Group.objects.get(name="Analyst"))
    return SavedView.objects.create(
        site=site, name="Monday", owner=owner, schedule="weekly", hour=7, recipients=["ada@shop.example"],
        query={"span": "7", "by": "placement"}, due_at=dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC),
    )  # fmt: skip


NOW = dt.datetime(2026, 11, 30, 6, 1, tzinfo=dt.UTC)


def test_a_due_view_is_sent_once_with_its_rows_as_a_file(view: SavedView) -> None:
    assert send_due(NOW - dt.timedelta(minutes=2)) == 0
    assert (send_due(NOW), send_due(NOW)) == (1, 0)
    (sent,) = mail.outbox
    assert (sent.to, "Monday" in sent.subject) == (["ada@shop.example"], True)
    ((name, text, kind),) = sent.attachments
    assert (name.startswith("mailed-placement-"), kind) == (True, "text/csv")
    assert text.splitlines()[0] == "placement,lists,impressions,clicks,add_to_carts,orders,units,revenue_EUR"
    assert text.splitlines()[1].startswith("home,0,")
    view.refresh_from_db()
    assert view.due_at == dt.datetime(2026, 12, 7, 6, tzinfo=dt.UTC)


def test_a_view_that_cannot_be_sent_says_why_and_is_tried_again(view: SavedView, settings: Any) -> None:
    settings.EMAIL_BACKEND = mail_settings(None)["EMAIL_BACKEND"]
    assert send_due(NOW) == 0
    view.refresh_from_db()
    assert "RECSITE_EMAIL_URL" in view.problem
    assert view.due_at == NOW + dt.timedelta(minutes=15)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_due(NOW + dt.timedelta(minutes=16)) == 1
    view.refresh_from_db()
    assert view.problem == ""


def test_whoever_may_see_no_reports_any_more_gets_none(view: SavedView) -> None:
    Membership.objects.all().delete()
    assert send_due(NOW) == 0
    assert not mail.outbox


def test_the_mail_speaks_the_language_of_its_readers_whatever_is_active(view: SavedView) -> None:
    at = int(dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC).timestamp())
    common = {"site": view.site, "utc_day": at // 86_400, "hour": at, "placement": "home"}
    ReportHour.objects.create(**common, lists=2_000, impressions=12_345, clicks=678)
    ReportHour.objects.create(**common, attribution="last_click_1d", orders=3, revenue=478_125)
    SavedView.objects.filter(pk=view.pk).update(language="de", query={"first": "2026-11-24", "last": "2026-11-29"})
    assert send_due(NOW) == 1
    (sent,) = mail.outbox
    assert sent.subject == "Mailed: Monday, 24. Nov. bis 29. November 2026"
    assert "Mailed, 24. November 2026 bis 29. November 2026" in sent.body
    assert "home: 12.345 / 678 / 3 / EUR 4.781,25" in sent.body
    assert "Letzter Klick, ein Tag" in sent.body
    assert "Impressions 12" not in sent.body
    assert ",478125" not in sent.attachments[0][1], "the file is for programs"
    assert sent.attachments[0][1].splitlines()[1].endswith(",4781.25")
