"""Sums by item: those of the rows, read once for what the roll-ups were made of, and again when they are made again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recommendations.models import ReportItemDay, ReportState
from recommendations.reports.items import item_totals
from tracking.models import Site

pytestmark = pytest.mark.django_db

DAY = dt.date(2026, 11, 30)


def add(site: Site, day: dt.date, item_id: str, *, placement: str = "", seen: int = 10, clicked: int = 1) -> None:
    ReportItemDay.objects.create(
        site=site, utc_day=(day - dt.date(1970, 1, 1)).days, day=day, placement=placement, item_id=item_id,
        impressions=seen, clicks=clicked, orders=0.5,
    )  # fmt: skip


def of(site: Site, since: dt.date = DAY - dt.timedelta(days=28)) -> dict[str, list[float]]:
    totals = item_totals(site, since=since)
    return dict(zip(totals.item_ids, totals.sums.tolist(), strict=True))


def test_days_are_summed_and_placements_other_items_and_older_days_left_out() -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    assert of(site) == {}
    add(site, DAY, "a")
    add(site, DAY - dt.timedelta(days=28), "a", seen=5, clicked=2)
    add(site, DAY - dt.timedelta(days=29), "a", seen=1_000)
    add(site, DAY, "a", placement="home", seen=7)
    add(site, DAY, "", seen=400)
    add(site, DAY, "b", seen=3, clicked=0)
    add(Site.objects.create(slug="other", name="Other"), DAY, "a", seen=60)

    assert of(site) == {"a": [15.0, 3.0, 1.0], "b": [3.0, 0.0, 0.5]}
    assert of(site, DAY) == {"a": [10.0, 1.0, 0.5], "b": [3.0, 0.0, 0.5]}


def test_they_are_read_once_until_the_roll_ups_are_made_again() -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    state = ReportState.objects.create(site=site)
    add(site, DAY, "a")
    first = of(site)
    with CaptureQueriesContext(connection) as asked:
        assert of(site) == first
    assert len(asked) == 1, "of when they were made alone"

    add(site, DAY, "b")
    state.made_at = timezone.now() + dt.timedelta(seconds=1)
    state.save()

    assert set(of(site)) == {"a", "b"}
