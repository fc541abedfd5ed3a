"""Sums give what the visitors themselves would give, by closed forms and by resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommendations.experiments.statistics.samples import Sums, of_mean, of_ratio, of_share, with_covariate

visitors = arrays(np.int64, st.integers(2, 60), elements=st.integers(-1_000, 1_000))


@given(values=visitors)
def test_mean_and_variance_of_sums_are_those_of_the_visitors(values: np.ndarray) -> None:
    sample = of_mean(len(values), values.sum(), (values**2).sum())
    assert float(sample.mean) == pytest.approx(values.mean())
    assert float(sample.variance) == pytest.approx(values.var(ddof=1), abs=1e-6)


def test_share_is_a_bernoulli_variable() -> None:
    sample = of_share([200, 0], [50, 0])
    assert sample.mean.tolist() == [0.25, 0.0]
    assert sample.variance.tolist() == [0.1875, 0.0]


def test_a_ratio_of_equal_denominators_is_a_mean() -> None:
    clicks = np.array([0.0, 1.0, 3.0, 2.0, 0.0, 5.0])
    ratio = of_ratio(Sums.of_visitors(clicks, np.full(6, 8.0)))
    mean = of_mean(6, clicks.sum() / 8, (clicks**2).sum() / 64)
    assert float(ratio.mean) == pytest.approx(float(mean.mean))
    assert float(ratio.variance) == pytest.approx(float(mean.variance))


def test_delta_method_foresees_the_spread_of_ratios_of_unequal_visitors() -> None:
    chance = np.random.default_rng(3)
    ratios, foreseen = [], []
    for _ in range(500):
        impressions = 1 + chance.poisson(6, 400)
        clicks = chance.binomial(impressions, chance.beta(1, 9, 400))
        sample = of_ratio(Sums.of_visitors(clicks, impressions))
        ratios.append(float(sample.mean))
        foreseen.append(float(sample.variance) / 400)
    assert np.var(ratios) == pytest.approx(np.mean(foreseen), rel=0.15)


def test_covariate_takes_away_what_it_foretells_and_no_more() -> None:
    chance = np.random.default_rng(4)
    before = chance.normal(10, 3, (2, 5_000))
    after = 2 * before + chance.normal(0, 1, (2, 5_000))
    after[1] += 0.5
    control, treated = with_covariate(*(Sums.of_visitors(after[arm], before[arm]) for arm in (0, 1)))
    assert float(treated.mean - control.mean) == pytest.approx(0.5, abs=0.1)
    assert float(control.variance) == pytest.approx(1.0, rel=0.1)  # of the 37 that visitors differ by
    assert float(control.base) == pytest.approx(after[0].mean())


def test_a_covariate_that_does_not_vary_changes_nothing() -> None:
    pair = [Sums.of_visitors([1.0, 2.0, 4.0], 7.0), Sums.of_visitors([2.0, 2.5, 3.0], 7.0)]
    for adjusted, sums in zip(with_covariate(*pair), pair, strict=True):
        plain = of_mean(sums.n, sums.total, sums.squares)
        assert float(adjusted.mean) == pytest.approx(float(plain.mean))
        assert float(adjusted.variance) == pytest.approx(float(plain.variance))


def test_arms_without_visitors_say_nothing_and_fail_nowhere() -> None:
    empty = Sums.of(0, 0, 0)
    for sample in (of_mean(0, 0, 0), of_ratio(empty), *with_covariate(empty, empty)):
        assert (float(sample.n), float(sample.mean), float(sample.variance)) == (0, 0, 0)
