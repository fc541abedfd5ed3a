"""From sums to verdicts: shops whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from features.state.experiments.exposures import FIGURES
from features.state.experiments.sums import sums_of
from features.store.arm_sums import ArmTotals
from recommendations.experiments.results import METRICS, days_to_go, results_of, sentence
from recommendations.models import Metric


def made_arm(chance: np.random.Generator, number: int, *, users: int, conversion: float) -> ArmTotals:
    """Return the sums of users who see a list, click, and may buy."""
    totals = ArmTotals()
    for _ in range(users):
        buys = chance.random() < conversion
        before = int(chance.random() < 0.3)
        impressions = 4 * int(1 + chance.poisson(1))
        revenue = int(chance.lognormal(8, 0.6)) if buys else 0
        figures = {
            "lists": impressions // 4,
            "impressions": impressions,
            "clicks": int(chance.binomial(impressions, 0.05)),
            "carts": int(buys or chance.random() < 0.1),
            "orders": int(buys),
            "revenue": revenue,
            "margin": revenue // 3,
            "orders_before": before,
            "revenue_before": before * int(chance.lognormal(8, 0.6)),
        }
        for name, amounts in sums_of([number, 5, *(figures.get(figure, 0) for figure in FIGURES)]).items():
            letter = next((one for one in "rm" if one in name), None)
            if letter is None:
                totals.take_in(amounts)
            else:
                totals.take_in_step(letter, int(name.partition(letter)[2]), amounts)
    return totals


@pytest.fixture(scope="module")
def arms() -> dict[str, ArmTotals]:
    chance = np.random.default_rng(6)
    return {
        "control": made_arm(chance, 0, users=5_000, conversion=0.10),
        "same": made_arm(chance, 1, users=5_000, conversion=0.10),
        "better": made_arm(chance, 1, users=5_000, conversion=0.16),
    }


@pytest.mark.slow
def test_equal_arms_are_not_decided_and_a_better_one_is(arms: dict[str, ArmTotals]) -> None:
    same = results_of({0: arms["control"], 1: arms["same"]}, [50, 50])
    assert {same.readings[0][metric].verdict for metric in METRICS} == {"open"}
    better = results_of({0: arms["control"], 1: arms["better"]}, [50, 50])
    assert better.readings[0][Metric.CONVERSION].verdict == "better"
    assert better.readings[0][Metric.REVENUE].verdict == "better"
    assert better.readings[0][Metric.CLICKS].verdict == "open"
    assert sentence(better, ["Control", "New"], Metric.CONVERSION).startswith("New brings between")
    worse = results_of({0: arms["better"], 1: arms["control"]}, [50, 50])
    assert "Stop it" in sentence(worse, ["Control", "New"], Metric.CONVERSION)


def test_more_arms_share_the_chance_of_a_false_alarm(arms: dict[str, ArmTotals]) -> None:
    two = results_of({0: arms["control"], 1: arms["same"]}, [50, 50])
    three = results_of({0: arms["control"], 1: arms["same"], 2: arms["better"]}, [50, 50, 50])
    one, other = two.readings[0][Metric.CONVERSION], three.readings[0][Metric.CONVERSION]
    assert other.upper - other.lower > one.upper - one.lower


def test_a_wrong_split_says_so_before_anything_else(arms: dict[str, ArmTotals]) -> None:
    found = results_of({0: arms["control"], 1: arms["better"]}, [90, 10])
    assert found.has_wrong_split
    assert "not split" in sentence(found, ["Control", "New"], Metric.CONVERSION)


def test_one_wholesale_order_decides_nothing(arms: dict[str, ArmTotals]) -> None:
    figures = {"lists": 1, "orders": 1, "revenue": 10**9}
    huge = ArmTotals()
    huge.of.update(arms["same"].of)
    huge.steps = {letter: dict(steps) for letter, steps in arms["same"].steps.items()}
    for name, amounts in sums_of([1, 5, *(figures.get(figure, 0) for figure in FIGURES)]).items():
        if "r" in name:
            huge.take_in_step("r", int(name.partition("r")[2]), amounts)
        elif "m" not in name:
            huge.take_in(amounts)
    found = results_of({0: arms["control"], 1: huge}, [50, 50])
    assert abs(found.readings[0][Metric.REVENUE].lift) < 0.2
    assert found.readings[0][Metric.REVENUE].verdict == "open"


def test_nobody_and_few_say_that_it_is_early() -> None:
    nobody = results_of({}, [50, 50])
    assert nobody.split_p_value == 1.0
    assert sentence(nobody, ["Control", "New"], Metric.CARTS).startswith("Nobody")
    chance = np.random.default_rng(1)
    few = {number: made_arm(chance, number, users=60, conversion=0.1) for number in (0, 1)}
    assert "Too early" in sentence(results_of(few, [1, 1]), ["Control", "New"], Metric.CONVERSION)


def test_days_to_go_shrink_as_visitors_come(arms: dict[str, ArmTotals]) -> None:
    found = results_of({0: arms["control"], 1: arms["same"]}, [50, 50])
    soon = days_to_go(found, metric=Metric.CONVERSION, minimum_lift=0.3, days=2.0)
    late = days_to_go(found, metric=Metric.CONVERSION, minimum_lift=0.1, days=2.0)
    assert soon is not None
    assert late is not None
    assert soon < late
    assert days_to_go(results_of({}, [1, 1]), metric=Metric.CARTS, minimum_lift=0.1, days=3.0) is None
