"""Means, standard errors and the figures of all models, on shoppers made up here."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.comparison import KEYS, Comparison, Scores, clustered_error, compared, figures, show
from benchmarks.quality.ours import Window, bound
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.split import split_by_time
from recommendations.training.settings import TrainingSettings

SMALL = TrainingSettings(refit=False, factors=8, als_iterations=2, trees=10, tuning_queries=200, min_queries=50)


def walkers(n: int, *, seed: int) -> SessionLog:
    """Return sessions that walk on in a ring of 30 items, one step at a time; a quarter of them go back once."""
    chance = np.random.default_rng(seed)
    sessions = []
    for _ in range(n):
        first = int(chance.integers(30))
        session = [f"{(first + step) % 30:02d}" for step in range(int(chance.integers(3, 6)))]
        sessions.append([*session, session[0]] if chance.random() < 0.25 else session)
    return log_from_sessions(sessions)


def window_of(log: SessionLog, name: str) -> Window:
    known, held_out = split_by_time(log, held_out=0.2)
    return Window(name=name, known=known, held_out=held_out, whole=log)


def test_the_error_of_sessions_is_that_of_their_sums() -> None:
    """By hand: points 1, 1 | 0, 0 are .5 from the mean: sums 1 and -1, √(2 / 1 · 2) / 4 = .5.

    Taken as four independent points, it would be .29.
    """
    values = np.array([1.0, 1.0, 0.0, 0.0])

    assert clustered_error(values, np.array([4, 4, 9, 9], np.int32)) == pytest.approx(0.5)
    assert clustered_error(values, np.array([4, 4, 4, 4], np.int32)) == 0.0


def test_the_error_over_windows_is_that_of_their_means() -> None:
    """By hand: two windows with two seeds, means .2 and .4: standard deviation .141, over √2: .1."""
    scores = Scores(values=[{"hr@20": value} for value in (0.1, 0.3, 0.4, 0.4)], errors=[{"hr@20": 9.0}] * 4)
    found = Comparison(scores={"ours": scores}, windows=2)

    assert found.mean("ours", "hr@20") == pytest.approx(0.3)
    assert found.error("ours", "hr@20") == pytest.approx(0.1)
    assert found.between_seeds("ours", "hr@20") == pytest.approx(np.sqrt(2) * 0.1 / 2)


def test_a_lead_over_windows_is_measured_window_by_window() -> None:
    """By hand: ahead by .1 and .3: .2, standard deviation .141, over √2: .1; each alone varies much more."""
    ours, other = (
        Scores(values=[{"hr@20": value} for value in values]) for values in ((0.2, 0.9), (0.1, 0.6))
    )  # fmt: skip
    found = Comparison(scores={"ours": ours, "other": other}, windows=2)

    assert found.lead("ours", "other", "hr@20") == pytest.approx((0.2, 0.1))


@pytest.mark.slow
def test_a_lead_in_one_window_is_that_of_its_points() -> None:
    found = compared([window_of(walkers(400, seed=1), "window")], settings=SMALL, is_searched=False)

    ahead, error = found.lead("ours", "popularity", "mrr@20")

    assert ahead == pytest.approx(found.mean("ours", "mrr@20") - found.mean("popularity", "mrr@20"))
    assert 0 < error < ahead
    assert found.lead("ours", "ours", "hr@20") == (0.0, 0.0)


@pytest.mark.slow
def test_every_model_is_measured_in_every_window_with_every_seed(capsys: pytest.CaptureFixture[str]) -> None:
    windows = [window_of(walkers(400, seed=seed), f"window {seed}") for seed in (1, 2)]

    found = compared(windows, settings=SMALL, seeds=2, is_searched=False)

    assert {name: len(scores.values) for name, scores in found.scores.items()} == dict.fromkeys(KEYS, 4)
    measured = figures("ring", found)
    assert measured["ring_windows"] == 2
    assert measured["ring_hr20"] > 0.95, "the next item is always among the twenty that come next"
    assert measured["ring_vmisknn_mrr20"] > measured["ring_popularity_mrr20"]
    assert measured["ring_last_viewed_new_hr20"] == 0
    assert measured["ring_seen_ours_hr20"] >= measured["ring_last_viewed_hr20"]
    assert 0 < measured["ring_coverage"] <= 1
    assert 0 < measured["ring_popularity_bias"] <= 1
    assert found.last is not None
    assert bound(found.last) >= measured["ring_hr20"] - 0.05
    show("Ring", found, took_s=1.0)
    said = capsys.readouterr().out
    assert "± is the standard error over 2 windows" in said
    assert "VMIS-kNN" in said
    assert "ours to VMIS-kNN, on the same points: HR@20" in said
    assert "parameters of the others are not searched" in said
    assert "2 seeds; ours varies between them" in said
