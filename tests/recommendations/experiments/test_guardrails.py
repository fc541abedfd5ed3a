"""An arm that does harm is named, with what to do; one that does none is not."""

from __future__ import annotations

import numpy as np

from features.state.experiments.exposures import FIGURES
from features.state.experiments.sums import sums_of
from features.store.arm_sums import ArmTotals
from recommendations.experiments.guardrails import Guard, GuardReading, alarms_of, guardrails_of
from recommendations.experiments.statistics.guardrails import GROUPS, ServedLists


def _served(*, slow: int, difference: int) -> ServedLists:
    chance = np.random.default_rng(slow + difference)
    lists = chance.integers(50, 150, GROUPS)
    return ServedLists(
        lists=lists, compared=lists, slow=chance.binomial(lists, slow / 100), difference=lists * difference * 10
    )


def _totals(*, refunded: float) -> ArmTotals:
    chance, totals = np.random.default_rng(int(100 * refunded)), ArmTotals()
    for _ in range(3_000):
        sold = int(chance.lognormal(8, 0.5)) if chance.random() < 0.3 else 0
        back = sold if chance.random() < refunded else 0
        figures = {"orders": int(sold > 0), "revenue": sold - back, "refunded": back}
        totals.take_in(sums_of([0, 5, *(figures.get(name, 0) for name in FIGURES)])["0"])
    return totals


def _read(totals: dict[int, ArmTotals], served: dict[int, ServedLists]) -> dict[Guard, GuardReading]:
    return {reading.guard: reading for reading in guardrails_of(totals, served, n_arms=2)}


def test_each_guardrail_rings_for_its_own_harm_alone() -> None:
    usual, sold = _served(slow=2, difference=60), _totals(refunded=0.08)
    cases = {
        Guard.SLOW: ({1: sold}, {1: _served(slow=9, difference=60)}),
        Guard.DIFFERENCE: ({1: sold}, {1: _served(slow=2, difference=40)}),
        Guard.RETURNS: ({1: _totals(refunded=0.2)}, {1: usual}),
    }
    for guard, (totals, served) in cases.items():
        found = _read({0: sold, **totals}, {0: usual, **served})
        assert [one for one, reading in found.items() if reading.verdict == "harm"] == [guard]
        (alarm,) = alarms_of(list(found.values()), ["Control", "Fancy"])
        assert "Fancy" in alarm.what
        assert alarm.remedy


def test_equal_arms_and_better_ones_ring_nothing() -> None:
    control = {0: _totals(refunded=0.2)}, {0: _served(slow=9, difference=40)}
    better = {1: _totals(refunded=0.08)}, {1: _served(slow=2, difference=60)}
    found = _read({**control[0], **better[0]}, {**control[1], **better[1]})
    assert {reading.verdict for reading in found.values()} == {"held"}
    same = _read({0: control[0][0], 1: control[0][0]}, {0: control[1][0], 1: control[1][0]})
    assert "harm" not in {reading.verdict for reading in same.values()}


def test_nothing_known_is_early() -> None:
    assert {reading.verdict for reading in _read({}, {}).values()} == {"early"}
