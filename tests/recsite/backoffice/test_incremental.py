"""What the home page says of hold-outs and of experiments that are decided."""

from __future__ import annotations

import math
from typing import Any

import pytest

from recommendations.experiments import lifecycle
from recommendations.experiments.results import Reading, Results
from recommendations.models import Experiment, HoldOut, Metric
from recsite.backoffice import incremental as page
from tracking.models import Site

pytestmark = pytest.mark.django_db


def results(lift: float, lower: float, upper: float, *, p_value: float = 0.6) -> Results:
    reading = Reading(metric=Metric.REVENUE, control=200.0, treated=0, lift=lift, lower=lower, upper=upper)
    return Results(
        visitors=(50, 950), readings=(dict.fromkeys(Metric, reading),), split_p_value=p_value,
        returns=(None, None), cap_minor=None,
    )  # fmt: skip


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(page, "read_arm_sums", lambda *args, **kwargs: {})
    monkeypatch.setattr(lifecycle, "read_totals", lambda *args, **kwargs: {})
    monkeypatch.setattr(page, "read_served", lambda *args, **kwargs: {})
    monkeypatch.setattr(page.connections, "partitions", lambda: 1)
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


def test_revenue_is_incremental_where_a_hold_out_of_the_whole_site_runs(site: Site, monkeypatch: Any) -> None:
    assert page.incremental(site, None) is None  # type: ignore[arg-type]
    held = HoldOut.objects.create(site=site)
    for found, value in (
        (results(0.1, 0.05, 0.15), "EUR 190.00"),  # a tenth of 2.00 a visitor, 950 visitors
        (results(math.nan, -math.inf, math.inf), "too early"),
        (results(0.1, 0.05, 0.15, p_value=1e-9), "!"),
    ):
        monkeypatch.setattr(lifecycle, "hold_out_results", lambda *args, found=found: found)
        said = page.incremental(site, None)  # type: ignore[arg-type]
        assert said is not None
        assert said["value"] == value
    HoldOut.objects.filter(pk=held.pk).update(is_active=False)
    assert page.incremental(site, None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (results(0.1, 0.05, 0.2), ["decided"]),
        (results(-0.1, -0.2, -0.05), ["decided"]),
        (results(0.1, -0.1, 0.2), []),
        (results(0.1, -0.1, 0.2, p_value=1e-9), ["wrong split"]),
    ],
)
def test_experiments_that_are_decided_are_to_be_ended(
    site: Site, monkeypatch: Any, found: Results, problems: list[str]
) -> None:
    Experiment.objects.create(site=site, name="New widget", status=Experiment.Status.RUNNING)
    Experiment.objects.create(site=site, name="Done", status=Experiment.Status.STOPPED)
    monkeypatch.setattr(lifecycle, "results", lambda *args: found)
    assert [task.problem for task in page.decided(site, None)] == problems  # type: ignore[arg-type]
