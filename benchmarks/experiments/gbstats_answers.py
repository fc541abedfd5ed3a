"""Answer the same cases with gbstats, in an environment of its own: it pins older versions of numpy and pandas.

``python gbstats_answers.py < cases.json > answers.json``; see ``peer``, which writes the cases.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import (
    ProportionStatistic,
    RatioStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
)
from gbstats.utils import check_srm


def statistic(kind: str, arm: dict[str, float]) -> Any:
    """Return the statistic of one arm."""
    n = int(arm["n"])
    first = SampleMeanStatistic(n=n, sum=arm["total"], sum_squares=arm["squares"])
    second = SampleMeanStatistic(n=n, sum=arm["other"], sum_squares=arm["other_squares"])
    if kind == "share":
        return ProportionStatistic(n=n, sum=arm["total"])
    if kind == "ratio":
        return RatioStatistic(n=n, m_statistic=first, d_statistic=second, m_d_sum_of_products=arm["products"])
    if kind == "covariate":
        return RegressionAdjustedStatistic(
            n=n, post_statistic=first, pre_statistic=second, post_pre_sum_of_products=arm["products"], theta=0
        )
    return first


def answer(case: dict[str, Any]) -> list[float]:
    """Return difference, interval, p-value, for one look and for any look, and the p-value of the split."""
    difference_type = "relative" if case["relative"] else "absolute"
    answers: list[float] = []
    for test, config in (
        (TwoSidedTTest, FrequentistConfig(alpha=case["alpha"], difference_type=difference_type)),
        (
            SequentialTwoSidedTTest,
            SequentialConfig(
                alpha=case["alpha"],
                difference_type=difference_type,
                sequential_tuning_parameter=case["tuned_for"],
            ),
        ),
    ):
        result = test(*(statistic(case["kind"], arm) for arm in case["arms"]), config).compute_result()
        answers += [result.expected, *result.ci, result.p_value]
    return [*map(float, answers), float(check_srm([arm["n"] for arm in case["arms"]], case["weights"]))]


if __name__ == "__main__":
    json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
