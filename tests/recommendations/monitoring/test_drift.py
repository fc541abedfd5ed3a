"""Distances between two spans of time: nothing for the same, the textbook's figure for known shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.monitoring import drift
from recommendations.monitoring.drift import Profile, Verdict, psi

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000), min_size=1)


def test_psi_of_known_shares_is_the_textbook_figure() -> None:
    even, skewed = {"a": 500_000, "b": 500_000}, {"a": 750_000, "b": 250_000}

    assert psi(even, skewed) == pytest.approx(0.25 * math.log(0.75 / 0.5) - 0.25 * math.log(0.25 / 0.5), abs=1e-5)


@pytest.mark.slow
@given(COUNTS, COUNTS)
def test_psi_is_never_negative_and_nothing_for_the_same(one: dict[str, int], other: dict[str, int]) -> None:
    assert psi(one, one) == pytest.approx(0)
    assert psi(one, other) >= 0


def test_psi_sees_a_bin_that_was_not_there() -> None:
    assert psi({"a": 1000}, {"a": 500, "b": 500}) > drift.ACT_PSI


@pytest.mark.parametrize(
    ("value", "name"), [(1, "1"), (4, "4"), (5, "5-6"), (9, "7-9"), (24, "15-24"), (25, "25+"), (900, "25+")]
)
def test_session_lengths_fall_into_bins(value: int, name: str) -> None:
    assert drift.length_bin(value) == name


def test_a_price_in_cents_is_far_from_one_in_euros() -> None:
    assert [drift.price_bin(value) for value in (20.0, 31.9, 2000.0, 0.0, None)] == [
        "16+",
        "16+",
        "1024+",
        "none",
        "none",
    ]


def test_a_version_that_is_no_longer_sure_of_its_answers_is_found() -> None:
    sure = Profile(sessions=500, counts={"scores": {"0.8+": 300, "0.7+": 200}})
    unsure = Profile(sessions=500, counts={"scores": {"0.2+": 250, "0.7+": 50}})

    check = drift.drift_check("scores", sure, unsure)

    assert check.verdict is Verdict.ACT
    assert "train again" in check.advice


def test_too_few_sessions_are_no_verdict() -> None:
    few, many = Profile(sessions=20, counts={"kind": {"a": 20}}), Profile(sessions=9000, counts={"kind": {"b": 9000}})

    check = drift.drift_check("kind", many, few)

    assert [check.verdict, check.value] == [Verdict.UNKNOWN, None]
    assert "20 sessions are too few" in check.advice
