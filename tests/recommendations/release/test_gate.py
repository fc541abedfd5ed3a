"""The gate by its figures: what passes, what does not, and what the reason says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommendations.inference.golden_check import Verdict
from recommendations.release.gate import (
    CHAMPION,
    MAY_FALL_BY,
    MIN_POINTS,
    GateCheck,
    GateReport,
    calibration,
    checked,
    latency,
    quality,
)


def measured(**mrr: float) -> dict[str, dict[str, float]]:
    return {name: {"mrr@20": value, "points": float(MIN_POINTS)} for name, value in mrr.items()}


@pytest.mark.parametrize(
    ("metrics", "passed", "reason"),
    [
        ({}, True, "nothing was held out"),
        (measured(popularity=0.3), True, "nothing was held out"),
        (measured(fusion=0.2), True, "no live version with unseen sessions"),
        (measured(fusion=0.2, popularity=0.21), False, "MRR@20 0.2000 is below popularity's 0.2100"),
        (measured(fusion=0.2, ranker=0.3, popularity=0.25), True, "MRR@20 0.3000"),
        (measured(fusion=0.2, live=0.2 + MAY_FALL_BY), True, "on the same 200 points"),
        (measured(fusion=0.2, live=0.2 + MAY_FALL_BY + 0.001), False, "the live version's 0.2110"),
    ],
)
def test_a_candidate_may_be_worse_by_noise_and_no_more(metrics: Any, passed: bool, reason: str) -> None:
    check = quality(metrics)

    assert check.passed is passed
    assert reason in check.reason


def test_too_few_points_cannot_tell_a_candidate_from_the_live_version() -> None:
    metrics = measured(fusion=0.1, **{CHAMPION: 0.9})
    metrics[CHAMPION]["points"] = MIN_POINTS - 1

    check = quality(metrics)

    assert check.passed
    assert check.reason.endswith("on the same 199 points: too few to tell them apart")


def test_the_error_of_chances_is_said_beside_how_often_they_come_and_refuses_nothing() -> None:
    metrics = measured(ranker=0.3)
    assert calibration(metrics).reason == "no chance was measured"

    metrics["ranker"] |= {"calibration_error|objective=cart": 0.25, "rate|objective=cart": 0.0125}
    check = calibration(metrics)

    assert check.passed
    assert check.reason == "mean error of a chance / how often it comes: cart 0.25000 / 0.01250"


@pytest.mark.parametrize(("p50_ms", "passed"), [(5.0, True), (5.01, False)])
def test_the_median_decides_on_latency_and_not_the_slowest(p50_ms: float, passed: bool) -> None:
    check = latency(Verdict(p50_ms=p50_ms, p99_ms=500.0), budget_ms=5.0)

    assert check.passed is passed
    assert f"{p50_ms:.2f} ms a request to all sources (p99 500.0), of 5 ms" in check.reason
    assert ("raise the limit in the training policy" in check.reason) is not passed


def test_a_folder_that_cannot_be_read_fails_with_its_reason_and_has_no_manifest(tmp_path: Path) -> None:
    report = checked(tmp_path / "nowhere", measured(fusion=0.5), latency_budget_ms=10.0)

    assert [(check.name, check.passed) for check in report.checks] == [
        ("integrity and golden answers", False),
        ("quality", True),
        ("calibration", True),
    ]
    assert "nowhere" in report.checks[0].reason
    assert report.manifest == {}
    assert not report.passed


def test_one_failed_check_fails_the_report() -> None:
    good, bad = (GateCheck(name="any", passed=passed, reason="", at_ms=0) for passed in (True, False))

    assert GateReport(checks=[good, good], manifest={}).passed
    assert not GateReport(checks=[good, bad], manifest={}).passed
