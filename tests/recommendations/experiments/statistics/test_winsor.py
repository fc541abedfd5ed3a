"""Amounts by steps: nothing is lost, and a cap counts as if each visitor had been capped."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.state.experiments.sums import step_of
from recommendations.experiments.statistics.samples import Sums
from recommendations.experiments.statistics.winsor import StepSums, cap_of, upper_of, winsorised

amounts = st.integers(0, 10**12)
visitors = st.lists(st.tuples(amounts, st.integers(0, 10_000)), min_size=1, max_size=60)


@given(amount=amounts)
def test_steps_cover_all_amounts_in_order(amount: int) -> None:
    step = step_of(amount)
    assert upper_of(step - 1) < max(amount, 1) or step == 0
    assert amount <= upper_of(step)
    assert step_of(amount + 1) >= step


@given(amount=st.integers(64, 10**12))
def test_steps_are_at_most_an_eighth_wide(amount: int) -> None:
    assert upper_of(step_of(amount)) <= amount * 9 / 8


def _steps(people: list[tuple[int, int]]) -> dict[int, StepSums]:
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for amount, before in people:
        found[step_of(amount)].append((amount, before))
    return {
        step: StepSums(
            n=len(own),
            total=sum(amount for amount, _ in own),
            squares=sum(amount**2 for amount, _ in own),
            other=sum(before for _, before in own),
            products=sum(amount * before for amount, before in own),
        )
        for step, own in found.items()
    }


@pytest.mark.slow
@given(people=visitors, cap_step=st.integers(1, 320))
def test_a_cap_counts_as_if_each_visitor_were_capped(people: list[tuple[int, int]], cap_step: int) -> None:
    cap = upper_of(cap_step)
    found = winsorised(
        _steps(people),
        n=len(people),
        other=sum(before for _, before in people),
        other_squares=sum(before**2 for _, before in people),
        cap=cap,
    )
    capped = [(min(amount, cap), before) for amount, before in people]
    expected = Sums.of(
        len(capped),
        sum(amount for amount, _ in capped),
        sum(amount**2 for amount, _ in capped),
        sum(before for _, before in capped),
        sum(before**2 for _, before in capped),
        sum(amount * before for amount, before in capped),
    )
    for name in Sums.__slots__:
        assert getattr(found, name) == getattr(expected, name)


@given(people=visitors)
def test_without_a_cap_nothing_changes(people: list[tuple[int, int]]) -> None:
    found = winsorised(_steps(people), n=len(people), other=0, other_squares=0, cap=None)
    assert found.total == sum(amount for amount, _ in people)


def test_cap_leaves_99_of_100_buyers_as_they_are() -> None:
    chance = np.random.default_rng(7)
    orders = np.exp(chance.normal(8, 1, 20_000)).astype(int)
    arms = [_steps([(int(amount), 0) for amount in part]) for part in (orders[:8_000], orders[8_000:])]
    cap = cap_of([{**arms[0], 0: StepSums(n=10**6, total=0, squares=0, other=0, products=0)}, arms[1]])
    assert cap is not None
    assert 0.99 <= (orders <= cap).mean() <= 0.995


def test_nobody_who_bought_needs_no_cap() -> None:
    assert cap_of([{}, {0: StepSums(n=5, total=0, squares=0, other=0, products=0)}]) is None
