"""The figures of the admin's first page; the page itself is opened in recommendations/admin/test_versions.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.test import RequestFactory

from features.stream.lag import read_lag
from recommendations.lint.findings import Finding, Problem
from recsite.backoffice import dashboard
from tracking.exceptions import LogUnavailable
from tracking.models import Site


class Counts:
    """Counts of two items."""

    def of(self, metric: str, window: str) -> Any:
        return np.array([1_000, 234]) if metric == "views" else np.array([100_000, 50])


def test_interactions_are_named_in_the_words_of_the_field() -> None:
    rows = dashboard.interactions(Counts(), Site(slug="shop", currency="EUR"))  # type: ignore[arg-type]

    assert [row["title"] for row in rows] == ["Views", "Add-to-carts", "Purchases", "Revenue, EUR"]
    assert [rows[0][window] for window in ("hour", "day", "week")] == ["1,234"] * 3


def test_a_log_that_is_unavailable_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dashboard.read_lag is read_lag

    def unavailable() -> None:
        raise LogUnavailable("no broker answers")

    monkeypatch.setattr(dashboard, "read_lag", unavailable)
    (figure,) = dashboard.stream_health()
    assert (figure.value, figure.tone, figure.note) == ("unavailable", "bad", "no broker answers")


@pytest.mark.django_db
def test_without_a_site_there_are_no_figures(rf: RequestFactory) -> None:
    request = rf.get("/admin/")
    request.user = get_user_model().objects.create_superuser("root")
    context = dashboard.dashboard(request, {})
    assert context["site"] is None
    assert "health" not in context


def found(problem: Problem, placement: str = "home") -> dashboard.Attention:
    finding = Finding(
        problem=problem, rule_ids=(), subject=placement, what="It.", why="Why.", remedy="Do.", placement=placement
    )
    return dashboard.Attention(finding=finding, link="")


@pytest.mark.parametrize(
    ("findings", "value", "tone"),
    [
        ([], "in order", "ok"),
        ([found(Problem.EXPIRING)], "in order", "ok"),
        ([found(Problem.CONFLICT), found(Problem.DEAD)], "2 to look at", "warn"),
        ([found(Problem.EMPTYING), found(Problem.DEAD)], "a list is empty", "bad"),
    ],
)
def test_rules_and_placements_are_in_order_or_named(findings: list[Any], value: str, tone: str) -> None:
    (figure,) = dashboard.list_health(findings)

    assert (figure.value, figure.tone) == (value, tone)
    assert ("home" in figure.note) is (tone == "bad")
