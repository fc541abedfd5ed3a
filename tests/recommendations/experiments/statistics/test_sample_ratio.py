"""The alarm is silent for splits as planned, however often it is asked, and loud for others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recommendations.experiments.statistics.sample_ratio import ALARM, p_value_at_any_look, p_value_at_one_look


def test_one_look_is_pearsons_test() -> None:
    assert p_value_at_one_look([480, 530, 990], [1, 1, 2]) == pytest.approx(
        stats.chisquare([480, 530, 990], [500, 500, 1_000]).pvalue
    )
    assert p_value_at_one_look([0, 0], [1, 1]) == 1.0


def test_a_right_split_raises_no_alarm_at_any_of_many_looks() -> None:
    chance = np.random.default_rng(2)
    visitors = np.cumsum(chance.multinomial(200, [0.5, 0.3, 0.2], (1_000, 60)), axis=1)
    alarms = (p_value_at_any_look(visitors, [0.5, 0.3, 0.2]) < 0.05).any(axis=1)
    assert alarms.mean() <= 0.05


def test_a_lost_twentieth_of_an_arm_is_noticed() -> None:
    assert float(p_value_at_any_look([20_000, 19_000], [1, 1])) < ALARM
    assert float(p_value_at_any_look([20_000, 20_100], [1, 1])) > ALARM


def test_the_order_of_arms_does_not_matter() -> None:
    once = float(p_value_at_any_look([900, 1_100, 2_050], [1, 1, 2]))
    assert once == pytest.approx(float(p_value_at_any_look([2_050, 900, 1_100], [2, 1, 1])))


@pytest.mark.parametrize("weights", [[1, 0], [1], [1, 1, 1], [1, -1]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"weights=.*give one above 0"):
        p_value_at_one_look([10, 10], weights)
