from __future__ import annotations

from dataclasses import replace

import optuna
import pytest

from recommendations.training.data.building import log_from_sessions
from recommendations.training.settings import RankerParameters, TrainingSettings
from recommendations.training.train import train_model_set
from tests.recommendations.training.conftest import aisle_sessions

SETTINGS = TrainingSettings(
    factors=8, als_iterations=3, trees=5, min_queries=50, tuning_queries=50, num_threads=1, held_out=0.0,
    tune_minutes=0.02,
)  # fmt: skip


@pytest.fixture(scope="module")
def log():
    return log_from_sessions(aisle_sessions(400, seed=11))


def trials(storage):
    summaries = optuna.get_all_study_summaries(f"sqlite:///{storage}")
    return {summary.study_name: summary.n_trials for summary in summaries}


@pytest.mark.slow
def test_the_defaults_are_tried_first_and_what_is_found_is_kept_with_the_version(log, tmp_path):
    storage = tmp_path / "tuning" / "shop.sqlite3"

    fitted = train_model_set(log, settings=SETTINGS, tuning_storage=storage)

    study = optuna.load_study(study_name=next(iter(trials(storage))), storage=f"sqlite:///{storage}")
    assert study.trials[0].params["learning_rate"] == RankerParameters().learning_rate
    assert study.best_value >= study.trials[0].value
    assert fitted.parameters["ranker"] == pytest.approx(study.best_params)


@pytest.mark.slow
def test_a_second_run_on_the_same_data_is_resumed_and_another_log_starts_afresh(log, tmp_path):
    storage = tmp_path / "shop.sqlite3"
    train_model_set(log, settings=SETTINGS, tuning_storage=storage)
    first = trials(storage)

    train_model_set(log, settings=replace(SETTINGS, tune_minutes=0.01), tuning_storage=storage)
    second = trials(storage)
    train_model_set(log.between(0, 390), settings=SETTINGS, tuning_storage=storage)

    assert second.keys() == first.keys()
    assert sum(second.values()) > sum(first.values())
    assert len(trials(storage)) == 2


def test_without_minutes_the_settings_are_taken_as_they_are(log, tmp_path):
    chosen = RankerParameters(num_leaves=9, min_data_in_leaf=20)

    fitted = train_model_set(
        log, settings=replace(SETTINGS, tune_minutes=0.0, ranker=chosen), tuning_storage=tmp_path / "s.sqlite3"
    )

    assert fitted.parameters["ranker"]["num_leaves"] == 9
    assert not (tmp_path / "s.sqlite3").exists()
