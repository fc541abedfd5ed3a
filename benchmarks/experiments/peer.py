"""The same sums given to our statistics and to gbstats, GrowthBook's: the largest difference between the answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.report import print_table
from recommendations.experiments.statistics.comparison import at_any_look, at_one_look
from recommendations.experiments.statistics.sample_ratio import p_value_at_one_look
from recommendations.experiments.statistics.samples import Sample, Sums, of_mean, of_ratio, of_share, with_covariate

GBSTATS: Final = "gbstats==0.8.0"
KINDS: Final = {
    "mean": "mean of a visitor (Welch's t-test)",
    "share": "share of visitors",
    "ratio": "ratio of sums (delta method)",
    "covariate": "mean with a covariate (CUPED)",
}
_EACH: Final = 25


def measure() -> dict[str, float]:
    """Return ``max_difference_to_gbstats``: absolute up to 1, relative above it.

    Raises
    ------
    SystemExit
        gbstats cannot be had here, so that nothing can be compared.
    """
    cases = made_cases(np.random.default_rng(14))
    theirs = _answers_of_gbstats(cases)
    worst: dict[str, list[float]] = {}
    for case, other in zip(cases, theirs, strict=True):
        apart = [abs(own - one) / max(1.0, abs(one)) for own, one in zip(our_answers(case), other, strict=True)]
        for name, part in (("at one look", apart[:4]), ("at any look", apart[4:8]), ("split of visitors", apart[8:])):
            worst.setdefault(f"{KINDS[case['kind']]}, {name}", []).append(max(part))
    print_table(
        f"Against {GBSTATS}: {len(cases)} cases, absolute and relative differences, alpha from .01 to .1",
        ("method", "cases", "largest difference"),
        [(name, len(found), f"{max(found):.1e}") for name, found in worst.items()],
    )
    return {"max_difference_to_gbstats": max(max(found) for found in worst.values())}


def made_cases(chance: np.random.Generator) -> list[dict[str, Any]]:
    """Return cases of every kind, small and large, as JSON holds them."""
    return [_case(kind, chance) for kind in KINDS for _ in range(_EACH)]


def our_answers(case: dict[str, Any]) -> list[float]:
    """Return what ``gbstats_answers.answer`` returns, by our own statistics."""
    control, treated = _samples(case["kind"], *(Sums.of(*arm.values()) for arm in case["arms"]))
    alpha, relative = case["alpha"], case["relative"]
    answers: list[float] = []
    for found in (
        at_one_look(control, treated, alpha=alpha, relative=relative),
        at_any_look(control, treated, alpha=alpha, relative=relative, tuned_for=case["tuned_for"]),
    ):
        answers += [float(part) for part in (found.difference, found.lower, found.upper, found.p_value)]
    return [*answers, p_value_at_one_look([arm["n"] for arm in case["arms"]], case["weights"])]


def _samples(kind: str, control: Sums, treated: Sums) -> tuple[Sample, Sample]:
    if kind == "covariate":
        return with_covariate(control, treated)
    if kind == "ratio":
        return of_ratio(control), of_ratio(treated)
    if kind == "share":
        return of_share(control.n, control.total), of_share(treated.n, treated.total)
    return of_mean(control.n, control.total, control.squares), of_mean(treated.n, treated.total, treated.squares)


def _case(kind: str, chance: np.random.Generator) -> dict[str, Any]:
    n = int(10 ** chance.uniform(2.0, 4.5))
    weights = [1.0, float(chance.choice([0.2, 0.5, 1.0]))]
    lift = chance.uniform(-0.3, 0.3)
    arms = []
    for weight, change in zip(weights, (0.0, lift), strict=True):
        size = max(int(n * weight * chance.uniform(0.97, 1.03)), 30)
        first, second = _visitors(kind, size, change, chance)
        sums = Sums.of_visitors(first, second)
        arms.append({name: float(getattr(sums, name)) for name in Sums.__slots__})
    return {
        "kind": kind,
        "arms": arms,
        "weights": weights,
        "alpha": float(chance.choice([0.01, 0.05, 0.1])),
        "relative": bool(chance.random() < 0.7),
        "tuned_for": float(chance.choice([500.0, 5_000.0, 50_000.0])),
    }


def _visitors(kind: str, n: int, lift: float, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two figures of each visitor; both vary, or no statistic has anything to say."""
    if kind == "share":
        return (chance.random(n) < 0.2 * (1 + lift)).astype(float), np.zeros(n)
    if kind == "ratio":
        impressions = 1 + chance.poisson(12, n)
        return chance.binomial(impressions, np.clip(chance.beta(2, 20, n) * (1 + lift), 0, 1)).astype(
            float
        ), impressions
    taste = chance.lognormal(3.0, 0.8, n)
    before = taste * (chance.random(n) < 0.5)
    return taste * chance.lognormal(0, 0.5, n) * (chance.random(n) < 0.6) * (1 + lift), before


def _answers_of_gbstats(cases: list[dict[str, Any]]) -> list[list[float]]:
    folder = Path(os.environ.get("RECSITE_BENCH_GBSTATS", Path(tempfile.gettempdir()) / "recsite-bench-gbstats"))
    python = folder / "bin" / "python"
    try:
        if subprocess.run([python, "-c", "import gbstats"], capture_output=True, check=False).returncode != 0:
            raise FileNotFoundError(python)
    except FileNotFoundError:
        print(f"installing {GBSTATS} in {folder}; this takes a minute and happens once")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", GBSTATS], check=True)
    script = Path(__file__).with_name("gbstats_answers.py")
    done = subprocess.run([python, script], input=json.dumps(cases), capture_output=True, text=True, check=True)
    answers: list[list[float]] = json.loads(done.stdout)
    return answers
