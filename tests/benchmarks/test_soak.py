"""What a soak calls flat."""

from __future__ import annotations

import pytest

from benchmarks.soak import PER_HOUR, SLACK, Sample, is_flat, slope_per_hour


def samples(*values: float) -> list[Sample]:
    return [Sample(float(n * 60), {"memory_mb": value}) for n, value in enumerate(values)]


def test_the_warm_up_and_one_jump_make_no_slope() -> None:
    steady = [100.0] * 60
    assert slope_per_hour(samples(*range(30), *steady), "memory_mb") == 0.0
    steady[45] = 500.0
    assert slope_per_hour(samples(*range(30), *steady), "memory_mb") == 0.0


def test_what_grows_shows_by_how_much_an_hour() -> None:
    assert slope_per_hour(samples(*(n * 0.5 for n in range(90))), "memory_mb") == pytest.approx(30.0)


@pytest.mark.parametrize("name", sorted(PER_HOUR))
def test_the_longer_a_run_the_less_slack_it_has(name: str) -> None:
    bound = PER_HOUR[name] + SLACK[name]
    assert is_flat(name, bound, minutes=60)
    assert not is_flat(name, bound * 1.01, minutes=60)
    assert not is_flat(name, bound, minutes=600)
    assert is_flat(name, -5.0, minutes=600)
