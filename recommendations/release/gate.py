"""The gate: what a version has to pass before it may answer, each check with its result and its reason."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from recommendations.core.words import gettext_noop
from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.inference.golden_check import Verdict
from recommendations.ranking.columns import COLUMNS
from recommendations.versions.folder import LoadedVersion, load_version

MAY_FALL_BY: Final = 0.01
"""Least change of MRR@20 that is not noise: twice the standard error of some thousands of test points."""

CHAMPION: Final = "live"
INTEGRITY: Final = gettext_noop("integrity and golden answers")
QUALITY: Final = gettext_noop("quality")
LATENCY: Final = gettext_noop("latency")
CALIBRATION: Final = gettext_noop("calibration")
MIN_POINTS: Final = 200


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the gate; ``ModelVersion.gate_report`` holds them as JSON, under these names.

    Attributes
    ----------
    reason : str
        In English.
    text, values : str, dict
        The reason as it is marked for translation, and what it names; empty for an error, which is said as it came.
    """

    name: str
    passed: bool
    reason: str
    at_ms: int
    text: str = ""
    values: dict[str, str] = msgspec.field(default_factory=dict)


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
        loaded = load_version(folder, providers="cpu", ranker_columns=COLUMNS)
        checks.append(_check(INTEGRITY, True, *_agreement(loaded.verdict)))
    except (VersionRefused, ModelUnavailable) as error:
        checks.append(_check(INTEGRITY, False, "%(error)s", {"error": str(error)}))
    checks.append(quality(metrics))
    checks.append(calibration(metrics))
    manifest: dict[str, Any] = {}
    if loaded is not None:
        if loaded.verdict is not None:
            checks.append(latency(loaded.verdict, budget_ms=latency_budget_ms))
        manifest = {**msgspec.to_builtins(loaded.manifest), "sha256": loaded.manifest_sha256}
        manifest.pop("files", None)
    return GateReport(checks=checks, manifest=manifest)


def quality(metrics: Mapping[str, Mapping[str, float]]) -> GateCheck:
    """Return the check that the candidate is not worse than the live version on the same held-out time."""
    candidate = max(
        (metrics[predictor]["mrr@20"] for predictor in ("ranker", "fusion") if predictor in metrics), default=None
    )
    if candidate is None:
        return _check(QUALITY, True, gettext_noop("nothing was held out, so nothing was measured"), {})
    popularity = metrics.get("popularity", {}).get("mrr@20", 0.0)
    if candidate < popularity:
        text = gettext_noop("MRR@20 %(candidate)s is below popularity's %(popularity)s")
        return _check(QUALITY, False, text, {"candidate": f"{candidate:.4f}", "popularity": f"{popularity:.4f}"})
    champion = metrics.get(CHAMPION)
    if champion is None:
        text = gettext_noop("MRR@20 %(candidate)s; no live version with unseen sessions")
        return _check(QUALITY, True, text, {"candidate": f"{candidate:.4f}"})
    points = champion.get("points", 0.0)
    values = {"candidate": f"{candidate:.4f}", "champion": f"{champion['mrr@20']:.4f}", "points": f"{points:.0f}"}
    if points < MIN_POINTS:
        text = gettext_noop(
            "MRR@20 %(candidate)s, the live version's %(champion)s on the same %(points)s points: too few to tell them "
            "apart"
        )
        return _check(QUALITY, True, text, values)
    text = gettext_noop("MRR@20 %(candidate)s, the live version's %(champion)s on the same %(points)s points")
    return _check(QUALITY, candidate >= champion["mrr@20"] - MAY_FALL_BY, text, values)


def calibration(metrics: Mapping[str, Mapping[str, float]]) -> GateCheck:
    """Return how far chances were from what came on the held-out time; it refuses no version.

    Chances count in lists that a placement weighs, and a sale between training and held-out time makes purchases more
    frequent than any version could know; what a wrong chance changes is the share that a weight has, not who comes
    first by it.
    """
    start = "calibration_error|objective="
    measured = metrics.get("ranker", {})
    found = {key.removeprefix(start): error for key, error in measured.items() if key.startswith(start)}
    if not found:
        return _check(CALIBRATION, True, gettext_noop("no chance was measured"), {})
    said = ", ".join(
        f"{name} {error:.5f} / {measured.get(f'rate|objective={name}', 0.0):.5f}" for name, error in found.items()
    )
    return _check(
        CALIBRATION, True, gettext_noop("mean error of a chance / how often it comes: %(said)s"), {"said": said}
    )


def latency(verdict: Verdict, *, budget_ms: float) -> GateCheck:
    """Return the check that all sources of one request take no longer than the budget, at the median.

    The median, because what else the machine does while it trains shows in the 99th percentile.
    """
    values = {"p50": f"{verdict.p50_ms:.2f}", "p99": f"{verdict.p99_ms:.1f}", "budget": f"{budget_ms:g}"}
    if verdict.p50_ms <= budget_ms:
        text = gettext_noop("%(p50)s ms a request to all sources (p99 %(p99)s), of %(budget)s ms")
        return _check(LATENCY, True, text, values)
    text = gettext_noop(
        "%(p50)s ms a request to all sources (p99 %(p99)s), of %(budget)s ms: too slow; train with fewer factors, or "
        "raise the limit in the training policy"
    )
    return _check(LATENCY, False, text, values)


def _agreement(verdict: Verdict | None) -> tuple[str, dict[str, str]]:
    if verdict is None:
        return gettext_noop("hashes are right"), {}
    least = min(verdict.agreement.values(), default=1.0)
    return gettext_noop("least agreement %(least)s"), {"least": f"{least:.4f}"}


def _check(name: str, passed: bool, text: str, values: dict[str, str]) -> GateCheck:
    return GateCheck(
        name=name, passed=passed, reason=text % values, at_ms=int(time.time() * 1000), text=text, values=values
    )
