"""Runs without any effect, looked at every day until something shows: how many cry wolf."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.experiments.simulation.shops import Arm, simulated_arm
from benchmarks.report import print_table
from recommendations.experiments.statistics.comparison import Comparison, at_one_look, lift
from recommendations.experiments.statistics.sample_ratio import ALARM, p_value_at_any_look
from recommendations.experiments.statistics.samples import Sample, of_mean, of_ratio, of_share, with_covariate

RUNS: Final = 1_000
DAYS: Final = 28
DAILY: Final = 150
"""New visitors an arm and day: a small shop, for which the asymptotics have least to stand on."""

METRICS: Final = ("click-through", "conversion", "revenue a visitor", "revenue a visitor, with CUPED")


def measure(*, quick: bool) -> dict[str, float]:
    """Return ``aa_runs`` and ``aa_false_alarm_share``, that of the metric with the most false alarms."""
    runs = RUNS // 5 if quick else RUNS
    chance = np.random.default_rng(2_026)
    counted = {(method, name): 0 for method in ("any", "one") for name in METRICS}
    splits = 0
    for _ in range(runs):
        arms = [simulated_arm(chance, daily=DAILY, days=DAYS) for _ in range(2)]
        for name, (control, treated) in samples_of(*arms).items():
            counted["any", name] += _has_alarm(lift(control, treated))
            counted["one", name] += _has_alarm(at_one_look(control, treated, relative=False))
        visitors = np.stack([arm.buyers.n for arm in arms], axis=-1)
        splits += bool((p_value_at_any_look(visitors, [1.0, 1.0]) < ALARM).any())
    print_table(
        f"{runs} A/A runs of {DAYS} days, {DAILY} new visitors an arm and day, looked at daily: false alarms",
        ("metric", "anytime-valid", "t-test, for comparison"),
        [(name, f"{counted['any', name] / runs:.1%}", f"{counted['one', name] / runs:.1%}") for name in METRICS]
        + [("split of visitors", f"{splits / runs:.1%}", "")],
        caption="the aim is at most 5 % anytime-valid; a t-test that is looked at daily shows why",
    )
    return {
        "aa_runs": float(runs),
        "aa_false_alarm_share": max(counted["any", name] for name in METRICS) / runs,
        "aa_false_alarm_share_of_t_test": max(counted["one", name] for name in METRICS) / runs,
        "aa_split_alarm_share": splits / runs,
    }


def samples_of(control: Arm, treated: Arm) -> dict[str, tuple[Sample, Sample]]:
    """Return both samples of each metric, by day."""
    pair = control.revenue, treated.revenue
    return {
        METRICS[0]: (of_ratio(control.clicks), of_ratio(treated.clicks)),
        METRICS[1]: (
            of_share(control.buyers.n, control.buyers.total),
            of_share(treated.buyers.n, treated.buyers.total),
        ),
        METRICS[2]: (
            of_mean(pair[0].n, pair[0].total, pair[0].squares),
            of_mean(pair[1].n, pair[1].total, pair[1].squares),
        ),
        METRICS[3]: with_covariate(*pair),
    }


def _has_alarm(found: Comparison) -> bool:
    return bool(((found.lower > 0) | (found.upper < 0)).any())
