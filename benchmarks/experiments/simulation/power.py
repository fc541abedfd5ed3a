"""Runs with an effect: how many find it, and how many the calculator said would, day by day."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from benchmarks.report import print_table
from recommendations.experiments.statistics.comparison import at_one_look, lift
from recommendations.experiments.statistics.power import Plan, power_at_one_look, power_by_day
from recommendations.experiments.statistics.samples import Sample, of_mean, of_share

RUNS: Final = 10_000
LOOKED_AT: Final = (7, 14, 28)


class Planned(NamedTuple):
    """An experiment as it is planned; visitors a day of each arm."""

    name: str
    share: float
    lift: float
    control: int
    treated: int
    is_money: bool = False


PLANNED: Final = (
    Planned("conversion 4 %, 10 % more", 0.04, 0.10, 1_500, 1_500),
    Planned("conversion 4 %, 8 % less", 0.04, -0.08, 1_500, 1_500),
    Planned("add-to-cart 12 %, 5 % more, one in ten treated", 0.12, 0.05, 9_000, 1_000),
    Planned("revenue a visitor, 12 % more", 0.04, 0.12, 2_500, 2_500, is_money=True),
)
MONEY: Final = (60.0, 0.6)
"""Mean of an order and the spread of its logarithm."""


def measure(*, quick: bool) -> dict[str, float]:
    """Return ``power_error_points``: the largest distance of power found and power foretold, in points of per cent."""
    runs = RUNS // 2 if quick else RUNS
    chance = np.random.default_rng(28)
    rows: list[tuple[object, ...]] = []
    worst = 0.0
    for planned in PLANNED:
        plan = _plan(planned)
        weights = (float(planned.control), float(planned.treated))
        foretold = power_by_day(plan, daily=sum(weights), days=LOOKED_AT[-1], weights=weights)
        control, treated = (
            _samples(planned, chance, runs, daily=daily, change=change)
            for daily, change in ((planned.control, 0.0), (planned.treated, planned.lift))
        )
        found = lift(control, treated)
        is_out = np.logical_or.accumulate((found.lower > 0) | (found.upper < 0), axis=1).mean(axis=0)
        once = at_one_look(control, treated, relative=False)
        at_end = float(((once.lower > 0) | (once.upper < 0))[:, -1].mean())
        fixed = power_at_one_look(plan, control=weights[0] * LOOKED_AT[-1], treated=weights[1] * LOOKED_AT[-1])
        pairs = [(f"by day {day}, looked at daily", is_out[day - 1], foretold[day - 1]) for day in LOOKED_AT]
        pairs.append((f"at one look, day {LOOKED_AT[-1]}", at_end, fixed))
        for when, share, said in pairs:
            worst = max(worst, 100 * abs(share - said))
            rows.append((planned.name, when, f"{said:.1%}", f"{share:.1%}"))
    print_table(f"Power of {runs:,} simulated runs", ("experiment", "found", "calculator", "simulated"), rows)
    return {"power_error_points": worst, "power_runs": float(runs)}


def _plan(planned: Planned) -> Plan:
    if not planned.is_money:
        return Plan.of_share(planned.share, lift=planned.lift)
    mean, variance = _money(planned.share)
    return Plan(
        mean=mean, variance=variance, lift=planned.lift, treated_variance=_money(planned.share, planned.lift)[1]
    )


def _money(share: float, lift: float = 0.0) -> tuple[float, float]:
    """Return mean and variance of a visitor's revenue; the lift is in how many buy."""
    share *= 1 + lift
    squares = share * MONEY[0] ** 2 * np.exp(MONEY[1] ** 2)
    return share * MONEY[0], float(squares - (share * MONEY[0]) ** 2)


def _samples(planned: Planned, chance: np.random.Generator, runs: int, *, daily: int, change: float) -> Sample:
    """Return samples by run and day, shape (runs, days)."""
    shape = runs, LOOKED_AT[-1]
    visitors = np.cumsum(np.full(shape, daily), axis=1)
    buyers = chance.binomial(daily, planned.share * (1 + change), shape)
    if not planned.is_money:
        return of_share(visitors, np.cumsum(buyers, axis=1))
    totals, squares = np.zeros(shape), np.zeros(shape)
    middle = np.log(MONEY[0]) - MONEY[1] ** 2 / 2
    for run, of_days in enumerate(buyers):
        orders = np.exp(middle + MONEY[1] * chance.standard_normal(of_days.sum()))
        ends = np.cumsum(of_days)
        for sums, values in ((totals, orders), (squares, orders**2)):
            sums[run] = np.concatenate(([0.0], np.cumsum(values)))[ends]
    return of_mean(visitors, totals, squares)
