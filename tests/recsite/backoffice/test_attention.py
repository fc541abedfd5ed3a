"""What needs attention: each thing with its remedy, and nothing where all is in order."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from features.models import Feed, FeedRun, Item
from recommendations.lint.findings import Finding, Problem
from recommendations.models import ModelVersion, Placement, ReportHour
from recsite.backoffice.attention import Standing, tasks_of
from tracking.models import DeadLetter, Site

pytestmark = pytest.mark.django_db


class Popular:
    """Items that were looked at."""

    def __init__(self, *item_ids: str) -> None:
        self._item_ids = list(item_ids)

    def popular(self, *, window: str, limit: int) -> list[str]:
        return self._item_ids[:limit]


@pytest.fixture
def site() -> Site:
    made = Site.objects.create(slug="shop", name="Shop")
    Item.objects.create(site=made, item_id="S1", title="Boots")
    Placement.objects.create(site=made, name="home")
    hour = int(time.time()) // 3_600 * 3_600
    ReportHour.objects.create(site=made, utc_day=hour // 86_400, hour=hour, placement="home", impressions=5)
    return made


def said(site: Site, stats: Any = None, *findings: Finding) -> dict[str, str]:
    tasks = tasks_of(site, [(each, "/there/") for each in findings], stats, Standing.of(site))
    assert all(task.remedy for task in tasks)
    return {f"{task.subject}: {task.problem}": task.tone for task in tasks}


def test_where_all_is_in_order_there_is_nothing(site: Site) -> None:
    assert said(site, Popular("S1")) == {}


def test_an_emptied_placement_is_red_and_comes_first(site: Site) -> None:
    DeadLetter.objects.create(site=site, reason="invalid_event", raw=b"{}", origin="collect", fingerprint="f")
    finding = Finding(
        problem=Problem.EMPTYING, rule_ids=(), subject="home", what="It.", why="Why.", remedy="Do.", placement="home"
    )
    found = said(site, None, finding)
    assert list(found.values()) == ["bad", "warn"]
    assert next(iter(found)).startswith("home: ")


def test_feeds_that_failed_wait_or_refused_rows_are_named_until_they_are_well(site: Site) -> None:
    feed = Feed.objects.create(site=site, name="Main")
    for status, more, problem in (
        ("failed", {"error": "404"}, "feed failed"),
        ("waiting", {}, "feed waits"),
        ("done", {"rejected_rows": 3}, "rows refused"),
    ):
        FeedRun.objects.create(site=site, feed=feed, source="x", status=status, **more)
        assert list(said(site)) == [f"Main: {problem}"]
    FeedRun.objects.create(site=site, feed=feed, source="x", status="done")
    assert said(site) == {}


def test_an_old_model_unknown_items_and_a_quiet_placement_are_named(site: Site) -> None:
    version = ModelVersion.objects.create(site=site, version="v1", status=ModelVersion.Status.LIVE)
    ModelVersion.objects.filter(pk=version.pk).update(created_at=timezone.now() - timedelta(days=9))
    Placement.objects.create(site=site, name="cart")
    assert set(said(site, Popular("S1", "nobody-has-this"))) == {
        "v1: model is old", "Unknown items: not in the catalogue", "cart: no impressions",
    }  # fmt: skip


def test_before_anything_was_measured_no_placement_is_called_quiet(site: Site) -> None:
    ReportHour.objects.all().delete()
    assert said(site) == {}
