"""The gate: what a version has to pass before it may answer, each check with its result and its reason."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.inference.golden_check import Verdict
from recommendations.ranking.columns import COLUMNS
from recommendations.versions.folder import LoadedVersion, load_version

MAY_FALL_BY: Final = 0.01
"""Least change of MRR@20 that is not noise: twice the standard error of some thousands of test points."""

CHAMPION: Final = "live"
MIN_POINTS: Final = 200


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the gate; ``ModelVersion.gate_report`` holds them as JSON, under these names."""

    name: str
    passed: bool
    reason: str
    at_ms: int


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found.

    Attributes
    ----------
    manifest : dict
        As the admin shows it: the version's manifest without its files, with its ``sha256``; empty for a version that
        cannot be read.
    """

    checks: list[GateCheck]
    manifest: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every check was passed."""
        return all(check.passed for check in self.checks)


def checked(folder: Path, metrics: Mapping[str, Mapping[str, float]], *, latency_budget_ms: float) -> GateReport:
    """Check a version folder: integrity and golden answers, quality, latency."""
    loaded: LoadedVersion | None = None
    checks: list[GateCheck] = []
    try:
        loaded = load_version(folder, providers="cpu", expected_columns=COLUMNS)
        checks.append(_check("integrity and golden answers", passed=True, reason=_agreement(loaded.verdict)))
    except (VersionRefused, ModelUnavailable) as error:
        checks.append(_check("integrity and golden answers", passed=False, reason=str(error)))
    checks.append(quality(metrics))
    manifest: dict[str, Any] = {}
    if loaded is not None:
        if loaded.verdict is not None:
            checks.append(latency(loaded.verdict, budget_ms=latency_budget_ms))
        manifest = {**msgspec.to_builtins(loaded.manifest), "sha256": loaded.manifest_sha256}
        manifest.pop("files", None)
    return GateReport(checks=checks, manifest=manifest)


def quality(metrics: Mapping[str, Mapping[str, float]]) -> GateCheck:
    """Return the check that the candidate is not worse than the live version on the same held-out time."""
    name = "quality"
    candidate = max(
        (metrics[predictor]["mrr@20"] for predictor in ("ranker", "fusion") if predictor in metrics), default=None
    )
    if candidate is None:
        return _check(name, passed=True, reason="nothing was held out, so nothing was measured")
    popularity = metrics.get("popularity", {}).get("mrr@20", 0.0)
    if candidate < popularity:
        return _check(name, passed=False, reason=f"MRR@20 {candidate:.4f} is below popularity's {popularity:.4f}")
    champion = metrics.get(CHAMPION)
    if champion is None:
        return _check(name, passed=True, reason=f"MRR@20 {candidate:.4f}; no live version with unseen sessions")
    points = champion.get("points", 0.0)
    said = f"MRR@20 {candidate:.4f}, the live version's {champion['mrr@20']:.4f} on the same {points:.0f} points"
    if points < MIN_POINTS:
        return _check(name, passed=True, reason=f"{said}: too few to tell them apart")
    return _check(name, passed=candidate >= champion["mrr@20"] - MAY_FALL_BY, reason=said)


def latency(verdict: Verdict, *, budget_ms: float) -> GateCheck:
    """Return the check that all sources of one request take no longer than the budget, at the median.

    The median, because what else the machine does while it trains shows in the 99th percentile.
    """
    said = f"{verdict.p50_ms:.2f} ms a request to all sources (p99 {verdict.p99_ms:.1f}), of {budget_ms:g} ms"
    if verdict.p50_ms <= budget_ms:
        return _check("latency", passed=True, reason=said)
    remedy = "train with fewer factors, or raise the limit in the training policy"
    return _check("latency", passed=False, reason=f"{said}: too slow; {remedy}")


def _agreement(verdict: Verdict | None) -> str:
    if verdict is None:
        return "hashes are right"
    return f"least agreement {min(verdict.agreement.values(), default=1.0):.4f}"


def _check(name: str, *, passed: bool, reason: str) -> GateCheck:
    return GateCheck(name=name, passed=passed, reason=reason, at_ms=int(time.time() * 1000))
