"""Intervals against closed forms, against scipy's t-test, and against runs that are looked at again and again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recommendations.experiments.statistics.comparison import (
    KNOWN_ENOUGH,
    at_any_look,
    at_one_look,
    boundary,
    lift,
    tuned,
)
from recommendations.experiments.statistics.samples import Sample, of_mean, of_share


def _sample(values: np.ndarray) -> Sample:
    return of_mean(len(values), values.sum(), (values**2).sum())


def test_one_look_is_welchs_test() -> None:
    chance = np.random.default_rng(1)
    left, right = chance.normal(5, 2, 80), chance.normal(5.4, 3, 130)
    found = at_one_look(_sample(left), _sample(right), relative=False)
    known = stats.ttest_ind(right, left, equal_var=False)
    interval = known.confidence_interval(0.95)
    assert float(found.p_value) == pytest.approx(known.pvalue)
    assert (float(found.lower), float(found.upper)) == pytest.approx((interval.low, interval.high))


def test_any_look_is_wider_than_one_look_and_narrowest_where_it_is_tuned_for() -> None:
    visitors = np.geomspace(100, 1e7, 200)
    widths = boundary(visitors, alpha=0.05, tuned_for=20_000.0)
    assert (widths > stats.norm.isf(0.025)).all()
    assert visitors[widths.argmin()] == pytest.approx(20_000, rel=0.1)


def test_p_value_and_interval_say_the_same() -> None:
    shares = np.linspace(0.04, 0.06, 41)
    found = at_any_look(of_share(np.full(41, 40_000), np.full(41, 2_000)), of_share(40_000, 40_000 * shares))
    for relative in (True, False):
        found = at_any_look(
            of_share(np.full(41, 40_000), np.full(41, 2_000)), of_share(40_000, 40_000 * shares), relative=relative
        )
        is_out = (found.lower > 0) | (found.upper < 0)
        assert (is_out == (found.p_value < 0.05)).all()


def test_too_little_is_known_says_so_instead_of_deciding() -> None:
    for control, treated in ((of_share(0, 0), of_share(100, 9)), (of_share(100, 0), of_share(100, 9))):
        for found in (at_any_look(control, treated), at_one_look(control, treated), lift(control, treated)):
            assert (float(found.lower), float(found.upper)) == (-np.inf, np.inf)
            assert float(found.p_value) == 1.0


def test_lift_is_open_until_both_arms_have_enough_buyers() -> None:
    buyers = np.arange(1, 60)
    found = lift(of_share(10_000, 400), of_share(np.full(59, 10_000), buyers))
    first = int(buyers[np.isfinite(found.lower)][0])
    assert first == int(np.ceil(KNOWN_ENOUGH * (1 - first / 10_000)))
    assert np.isfinite(found.upper[buyers >= first]).all()


def test_lift_is_the_difference_by_the_controls_mean() -> None:
    control, treated = of_share(50_000, 2_500), of_share(50_000, 2_750)
    absolute = at_any_look(control, treated, relative=False)
    found = lift(control, treated)
    assert float(found.difference) == pytest.approx(0.1)
    assert float(found.lower) == pytest.approx(float(absolute.lower) / 0.05)
    assert float(found.upper) == pytest.approx(float(absolute.upper) / 0.05)


def test_interval_holds_at_all_looks_together() -> None:
    """600 runs of 100 looks each: fewer than 5 % ever leave out the truth, while one look a run would be 5 %."""
    chance = np.random.default_rng(9)
    values = np.cumsum(chance.normal(1.0, 2.0, (2, 600, 100)) * np.sqrt(50) + 50 - np.sqrt(50), axis=2)
    visitors = np.arange(1, 101) * 50.0
    samples = [Sample(n=visitors, mean=arm / visitors, variance=np.float64(4.0), base=arm / visitors) for arm in values]
    found = at_any_look(*samples, relative=False)
    assert ((found.lower > 0) | (found.upper < 0)).any(axis=1).mean() < 0.05


def test_tuning_follows_the_paper() -> None:
    assert tuned(0.05, 5_000.0) == pytest.approx(np.sqrt((-2 * np.log(0.05) + np.log(-2 * np.log(0.05) + 1)) / 5_000))
