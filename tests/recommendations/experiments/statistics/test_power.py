"""The calculator against closed forms; against simulation in ``benchmarks/experiments``."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recommendations.experiments.statistics.comparison import boundary
from recommendations.experiments.statistics.power import (
    Plan,
    days_needed,
    power_at_one_look,
    power_by_day,
    visitors_needed,
)

PLAN = Plan.of_share(0.04, lift=0.1)


def test_sixteen_variances_by_the_square_of_the_effect() -> None:
    """The rule of thumb for a power of 80 %, which Kohavi names: n = 16 σ² / δ²."""
    plan = Plan(mean=10.0, variance=9.0, lift=0.02)
    assert visitors_needed(plan) == pytest.approx(16 * 9 / 0.2**2, rel=0.03)


def test_power_and_number_of_visitors_are_inverse() -> None:
    n = visitors_needed(PLAN, power=0.9)
    assert power_at_one_look(PLAN, control=n, treated=n) == pytest.approx(0.9, abs=1e-3)


def test_one_day_is_one_look_at_the_sequences_bound() -> None:
    plan = Plan(mean=1.0, variance=1.0, lift=0.05)
    z = float(boundary(np.float64(8_000), alpha=0.05))
    shift = 0.05 / plan.error(4_000, 4_000)
    assert power_by_day(plan, daily=8_000, days=1)[0] == pytest.approx(
        stats.norm.sf(z - shift) + stats.norm.cdf(-z - shift), abs=2e-3
    )


def test_power_rises_by_day_and_does_not_care_for_the_sign() -> None:
    plan = Plan(mean=5.0, variance=20.0, lift=0.06)
    rising = power_by_day(plan, daily=2_000, days=90)
    falling = power_by_day(Plan(mean=5.0, variance=20.0, lift=-0.06), daily=2_000, days=90)
    assert (np.diff(rising) >= 0).all()
    assert rising[-1] > 0.9
    assert rising == pytest.approx(falling, abs=1e-6)


def test_without_an_effect_it_is_the_share_of_false_alarms() -> None:
    found = power_by_day(Plan(mean=1.0, variance=1.0, lift=1e-9), daily=500, days=365)
    assert 0.01 < found[-1] < 0.05


def test_nothing_is_found_before_the_means_are_known() -> None:
    daily = 500
    first = np.flatnonzero(power_by_day(PLAN, daily=daily, days=30))[0] + 1
    assert first == int(np.ceil(PLAN.begins_at(daily / 2, daily / 2)))


@pytest.mark.slow
def test_days_needed_is_the_first_day_with_enough_power() -> None:
    days = days_needed(PLAN, daily=6_000)
    assert days is not None
    by_day = power_by_day(PLAN, daily=6_000, days=days)
    assert by_day[-1] >= 0.8 > by_day[-2]
    assert days_needed(Plan.of_share(0.001, lift=0.001), daily=100) is None


@pytest.mark.parametrize(
    ("mean", "variance", "lift"), [(0.0, 1.0, 0.1), (1.0, 0.0, 0.1), (1.0, 1.0, 0.0), (1.0, 1.0, -1.0)]
)
def test_what_nothing_can_be_planned_with_is_refused(mean: float, variance: float, lift: float) -> None:
    with pytest.raises(ValueError, match="give"):
        Plan(mean=mean, variance=variance, lift=lift)


def test_a_share_stays_a_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Plan.of_share(0.9, lift=0.2)
