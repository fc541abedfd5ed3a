"""A whole run in a world where the next item is certain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommendations.ranking.columns import COLUMNS
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import InvalidDataset
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from tests.recommendations.training.conftest import aisle_sessions

SETTINGS = TrainingSettings(
    factors=8, als_iterations=3, trees=20, min_queries=50, tuning_queries=200, num_threads=1, seed=3
)


@pytest.fixture(scope="module")
def log():
    return log_from_sessions(aisle_sessions(600, seed=11))


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def fitted(log, steps):
    return train_model_set(log, settings=SETTINGS, progress=lambda *step: steps.append(step), catalogue=["unsold"])


def test_the_model_set_beats_the_baselines_on_the_held_out_time(fitted):
    served = fitted.metrics["ranker" if fitted.ranker else "fusion"]

    assert served["mrr@20"] > 2 * fitted.metrics["popularity"]["mrr@20"]
    assert served["mrr@20"] > fitted.metrics["last viewed"]["mrr@20"]
    assert served["hr@20"] > 0.99


def test_the_ranker_learns_that_the_next_item_is_certain(fitted):
    assert fitted.metrics["ranker"]["mrr@20"] > 0.9


def test_the_ranker_is_handed_over_only_where_it_beats_fusion(fitted):
    beats = fitted.metrics["ranker"]["mrr@20"] > fitted.metrics["fusion"]["mrr@20"]

    assert (fitted.ranker is not None) == beats


def test_without_held_out_time_nothing_is_measured_and_the_ranker_is_used(log):
    trained = train_model_set(log, settings=replace(SETTINGS, held_out=0.0))

    assert trained.metrics == {}
    assert trained.ranker.columns == COLUMNS
    assert trained.data_range == log.data_range()


def test_arrays_agree_on_the_items_and_keep_the_padding_row(fitted, log):
    n_items = len(fitted.item_ids)

    assert fitted.item_ids[0] == ""
    assert fitted.item_ids[-1] == "unsold"
    assert n_items == log.n_items + 1
    for table in fitted.neighbours:
        assert table.indices.shape == table.weights.shape
        assert len(table.indices) == n_items
        assert table.indices.dtype == np.int32
        assert table.weights.dtype == np.float32
        assert not table.weights[0].any()
        assert (np.diff(table.weights, axis=1) <= 0).all()
    assert not fitted.als.item_factors[0].any()
    assert len(fitted.popularity.recent) == n_items


def test_items_fall_by_popularity(fitted):
    assert (np.diff(fitted.popularity.all_time[1:]) <= 0).all()


def test_refit_covers_the_held_out_sessions(fitted, log):
    assert fitted.data_range == log.data_range()


def test_two_runs_with_one_seed_are_equal(fitted, log):
    again = train_model_set(log, settings=SETTINGS, catalogue=["unsold"])

    assert again.fusion == fitted.fusion
    assert again.metrics == fitted.metrics
    for one, other in zip(again.neighbours, fitted.neighbours, strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)


def test_progress_ends_every_step_that_it_begins(fitted, steps):
    last = {step: (done, total) for step, done, total in steps}

    assert {"fit", "train ranker", "tune fusion", "list held-out"} <= set(last)
    assert all(done == total for done, total in last.values())


def test_too_few_sessions_are_refused_with_what_is_needed():
    with pytest.raises(InvalidDataset, match="20 sessions"):
        train_model_set(log_from_sessions([["a", "b"]] * 5), settings=SETTINGS)


def test_sessions_of_one_item_have_nothing_to_learn_from():
    with pytest.raises(InvalidDataset, match="two or more"):
        train_model_set(log_from_sessions([["a"]] * 50), settings=SETTINGS)


@pytest.mark.parametrize("wrong", [{"held_out": -0.1}, {"validation": 0}, {"factors": 0}])
def test_settings_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(InvalidDataset, match=next(iter(wrong))):
        TrainingSettings(**wrong)


def test_a_further_baseline_is_measured_on_the_same_points(log):
    by_baseline = []

    def baseline(history):
        by_baseline.append(list(history))
        return [history[-1], "an item that training does not know"]

    trained = train_model_set(
        log, settings=replace(SETTINGS, refit=False, max_points=50), baselines={"live": lambda: baseline}
    )

    assert len(by_baseline) == trained.metrics["live"]["points"] == trained.metrics["fusion"]["points"] == 50
    assert trained.metrics["live"]["repeat_share@20"] == 1.0


def test_held_out_time_can_begin_where_the_live_version_ended(log):
    live_saw_until_ms = 549

    trained = train_model_set(log, settings=replace(SETTINGS, refit=False, held_out_after_ms=live_saw_until_ms))

    assert trained.data_range.last_ms == live_saw_until_ms


def test_one_session_since_the_live_version_does_not_decide_on_the_ranker(log):
    trained = train_model_set(log, settings=replace(SETTINGS, held_out_after_ms=len(log) - 2))

    assert trained.metrics["ranker"]["points"] < 10
    assert trained.ranker is not None


def test_of_a_log_that_is_too_long_the_newest_sessions_are_trained_on(log):
    trained = train_model_set(log, settings=replace(SETTINGS, held_out=0.0, max_interactions=1_000))

    assert 990 < trained.data_range.interactions <= 1_000
    assert trained.data_range.last_ms == log.data_range().last_ms
