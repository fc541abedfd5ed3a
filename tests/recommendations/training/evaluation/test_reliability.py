"""The error of chances is nothing where they are right, and their distance from the truth where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.training.evaluation.reliability import BINS, expected_error, reliability


def test_chances_that_are_right_have_next_to_no_error_and_others_theirs() -> None:
    rng = np.random.default_rng(0)
    chances = (rng.random(200_000) ** 6).astype(np.float32)
    came = rng.random(len(chances)) < chances

    right, doubled = reliability(chances, came), reliability(chances / 2, came)

    assert expected_error(right) < 0.003
    assert expected_error(doubled) == pytest.approx(chances.mean() / 2, rel=0.05)


def test_bins_rise_hold_everybody_and_are_expected_to_bring_the_same() -> None:
    rng = np.random.default_rng(1)
    chances = (rng.random(10_000) ** 8).astype(np.float32)

    bins = reliability(chances, rng.random(len(chances)) < chances)

    assert len(bins) == BINS
    assert sum(each.candidates for each in bins) == len(chances)
    assert [each.expected for each in bins] == sorted(each.expected for each in bins)
    brought = [each.candidates * each.expected for each in bins]
    np.testing.assert_allclose(brought, np.full(BINS, chances.sum() / BINS), rtol=0.02)


def test_no_candidate_and_no_chance_are_said_without_an_error() -> None:
    nothing = np.zeros(0, np.float32)
    assert reliability(nothing, nothing > 0) == ()
    assert expected_error(()) == 0.0
    assert expected_error(reliability(np.zeros(50, np.float32), np.zeros(50, np.bool_))) == 0.0
