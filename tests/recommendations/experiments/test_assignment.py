"""Who is in which arm: always the same one, in the right shares, and never in two experiments of one group."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.core.types import RequestUser
from recommendations.core.visit import Visit
from recommendations.experiments.assignment import (
    WITHOUT,
    Audience,
    Changes,
    RunningExperiment,
    RunningHoldOut,
    chosen,
    free_start,
    position,
)
from recommendations.experiments.statistics.sample_ratio import p_value_at_one_look

USERS = [f"u:user-{number}" for number in range(4_000)]


def _experiment(salt: str = "salt", *, weights: tuple[int, ...] = (50, 50), **more: object) -> RunningExperiment:
    return RunningExperiment(
        name=f"e-{salt}",
        salt=salt,
        placements=frozenset({"home"}),
        weights=weights,
        changes=(Changes(),) * len(weights),
        **more,  # type: ignore[arg-type]
    )


@settings(deadline=None)
@given(salt=st.text(max_size=8), before=st.integers(1, 99), after=st.integers(1, 100))
def test_a_ramp_takes_users_in_and_moves_nobody(salt: str, before: int, after: int) -> None:
    small, large = sorted((before, after))
    first, then = _experiment(salt, share=small), _experiment(salt, share=large)
    for user in USERS[:300]:
        was, now = first.arm_of("shop", user), then.arm_of("shop", user)
        assert was is None or was == now


def test_shares_and_weights_are_kept() -> None:
    experiment = _experiment(weights=(60, 30, 10), share=50.0)
    arms = Counter(experiment.arm_of("shop", user) for user in USERS)
    assert 0.47 < arms[None] / len(USERS) < 0.53
    assert p_value_at_one_look([arms[0], arms[1], arms[2]], [60, 30, 10]) > 0.001


def test_no_user_is_in_two_experiments_of_a_group() -> None:
    parts = ((0, 30), (30, 50), (80, 20))
    experiments = [
        _experiment(f"s{start}", group="page", group_start=start, group_share=share) for start, share in parts
    ]
    found = Counter(sum(experiment.arm_of("shop", user) is not None for experiment in experiments) for user in USERS)
    assert set(found) == {1}
    sizes = [sum(experiment.arm_of("shop", user) is not None for user in USERS) for experiment in experiments]
    assert p_value_at_one_look(sizes, [30, 50, 20]) > 0.001


def test_experiments_outside_of_groups_are_independent_of_each_other() -> None:
    one, other = _experiment("one"), _experiment("other")
    pairs = Counter((one.arm_of("shop", user), other.arm_of("shop", user)) for user in USERS)
    assert p_value_at_one_look([pairs[pair] for pair in ((0, 0), (0, 1), (1, 0), (1, 1))], [1, 1, 1, 1]) > 0.001


def test_who_saw_an_arm_keeps_it_under_another_key_and_after_a_smaller_share() -> None:
    experiment = _experiment(share=1.0)
    for arm in (0, 1):
        assert {experiment.arm_of("shop", user, seen={experiment.name: (5, arm)}) for user in USERS[:50]} == {arm}
    assert experiment.arm_of("shop", USERS[0], seen={experiment.name: (5, 7)}) in (None, 0, 1)  # of arms that are gone


def test_another_site_draws_again() -> None:
    experiment = _experiment()
    assert any(experiment.arm_of("shop", user) != experiment.arm_of("other", user) for user in USERS[:50])


def test_a_hold_out_keeps_its_share_without() -> None:
    held = RunningHoldOut(name="h1", salt="s", percent=5.0)
    without = sum(held.arm_of("shop", user) == WITHOUT for user in USERS)
    assert p_value_at_one_look([without, len(USERS) - without], [5, 95]) > 0.001
    larger = replace(held, percent=20.0)
    assert all(larger.arm_of("shop", user) == WITHOUT for user in USERS if held.arm_of("shop", user) == WITHOUT)


@pytest.mark.parametrize(
    ("audience", "is_in"),
    [
        (Audience(), True),
        (Audience(visitors="returning"), True),
        (Audience(visitors="new"), False),
        (Audience(segments=("champions", "loyal")), True),
        (Audience(segments=("lost",)), False),
        (Audience(devices=("mobile",)), True),
        (Audience(devices=("desktop", "tablet")), False),
        (Audience(locales=("de",)), True),
        (Audience(locales=("fr",)), False),
    ],
)
def test_only_the_audience_takes_part(audience: Audience, is_in: bool) -> None:
    user = RequestUser(key="u:1", segments=frozenset({"champions"}), is_returning=True)
    assert audience.has(user, Visit(device="mobile", locale="de-AT")) is is_in


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_every_position_falls_on_an_arm(weights: list[int], at: float) -> None:
    assert 0 <= chosen(weights, at) < len(weights)


def test_positions_are_even() -> None:
    tenths = Counter(int(10 * position("shop", user)) for user in USERS)
    assert p_value_at_one_look([tenths[tenth] for tenth in range(10)], [1] * 10) > 0.001


@given(st.lists(st.integers(1, 40), max_size=8))
def test_parts_of_a_group_do_not_overlap(shares: list[int]) -> None:
    taken: list[tuple[int, int]] = []
    for share in shares:
        start = free_start(taken, share)
        if start is None:
            assert sum(until - since for since, until in taken) > 100 - share or taken
            continue
        assert 0 <= start <= 100 - share
        assert all(start + share <= since or until <= start for since, until in taken)
        taken.append((start, start + share))


def test_a_gap_is_used_again() -> None:
    assert free_start([(0, 30), (60, 100)], 30) == 30
    assert free_start([(0, 30), (60, 100)], 31) is None
