"""Chances are those of the best never falling function, few knots and all."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.training.fit.calibration import MAX_KNOTS, calibrated


def pooled(came: list[float]) -> list[float]:
    """Return the isotonic fit of values in order: neighbours that fall are pooled until none does."""
    blocks: list[list[float]] = []
    for value in came:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, n = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += n
    return [total / n for total, n in blocks for _ in range(int(n))]


@pytest.mark.parametrize("seed", range(20))
def test_each_step_of_the_fit_is_a_knot_at_its_mean_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(60).astype(np.float32)
    came = rng.random(60) < 1 / (1 + np.exp(-(scores - 30) / 10))
    order = np.argsort(scores)
    expected = np.array(pooled(came[order].astype(float).tolist()))

    found = calibrated(scores, came)

    levels = np.unique(expected)
    np.testing.assert_allclose(found.chances, levels, atol=1e-12)
    means = [scores[order][np.isclose(expected, level)].mean() for level in levels]
    np.testing.assert_allclose(found.scores, means, rtol=1e-6)


def test_the_true_chances_are_found_with_few_knots() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(-5, 2, 400_000).astype(np.float32)
    truth = 1 / (1 + np.exp(-scores))
    found = calibrated(scores, rng.random(len(scores)) < truth)

    assert 10 < len(found.scores) <= MAX_KNOTS
    assert (np.diff(found.scores) > 0).all()
    assert (np.diff(found.chances) >= 0).all()
    asked = np.array([-6.0, -4.0, -2.0, 0.0], np.float32)
    np.testing.assert_allclose(found(asked), 1 / (1 + np.exp(-asked)), rtol=0.1)


def test_what_never_came_has_no_chance_and_what_always_came_has_all() -> None:
    scores = np.arange(10, dtype=np.float32)

    assert calibrated(scores, np.zeros(10, np.bool_)).chances == (0.0,)
    assert calibrated(scores, np.ones(10, np.bool_)).chances == (1.0,)
