"""A search for the ranker's parameters under a budget of time; what was tried is kept, so a search can go on."""

from __future__ import annotations

import time
from pathlib import Path

import optuna
from optuna.trial import Trial, TrialState

from recommendations.training.fit.ranker import RankerRows, train_booster
from recommendations.training.settings import Progress, RankerParameters, TrainingSettings, no_progress

MAX_TRIALS = 500
LOCK_TIMEOUT_S = 30


def tuned_parameters(
    rows: RankerRows,
    *,
    settings: TrainingSettings,
    study_name: str,
    storage: Path | None = None,
    progress: Progress = no_progress,
) -> RankerParameters:
    """Return the parameters with the greatest NDCG@20 on the newest tenth of the validation points.

    The parameters of ``settings`` are tried first, so what is found is not below them on those points. The trial that
    runs when the time is up is finished: the budget may be exceeded by one training of the ranker.

    Parameters
    ----------
    study_name : str
        Names the data: trials on other data say little.
    storage : Path, optional
        SQLite file to keep trials in; a study of this name that was begun earlier goes on.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if storage is not None:
        storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=study_name,
        storage=None
        if storage is None
        else optuna.storages.RDBStorage(
            f"sqlite:///{storage}", engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_S}}
        ),
        sampler=optuna.samplers.TPESampler(seed=settings.seed + _tried(storage, study_name)),
        direction="maximize",
        load_if_exists=True,
    )
    if not study.trials:
        study.enqueue_trial(_as_trial(settings.ranker, rows))
    budget_s = settings.tune_minutes * 60
    started = time.monotonic()

    def tried(trial: Trial) -> float:
        booster = train_booster(rows, _suggested(trial), settings=settings)
        return float(booster.best_score["valid_0"]["ndcg@20"])

    def told(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        progress("tune ranker", min(int(time.monotonic() - started), int(budget_s)), int(budget_s))

    study.optimize(tried, n_trials=MAX_TRIALS, timeout=budget_s, callbacks=[told], gc_after_trial=False)
    progress("tune ranker", int(budget_s), int(budget_s))
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return settings.ranker
    return RankerParameters(**study.best_params)


def _tried(storage: Path | None, study_name: str) -> int:
    """Return how many trials there are already: a search that goes on must not draw the same numbers again."""
    if storage is None or not storage.is_file():
        return 0
    summaries = optuna.get_all_study_summaries(f"sqlite:///{storage}")
    return sum(summary.n_trials for summary in summaries if summary.study_name == study_name)


def _suggested(trial: Trial) -> RankerParameters:
    return RankerParameters(
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        num_leaves=trial.suggest_int("num_leaves", 7, 127, log=True),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 5, 1000, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.3, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.3, 1.0),
        lambda_l2=trial.suggest_float("lambda_l2", 0.0, 20.0),
        truncation=trial.suggest_int("truncation", 5, 40),
    )


def _as_trial(parameters: RankerParameters, rows: RankerRows) -> dict[str, float]:
    names = RankerParameters.__dataclass_fields__
    values = {name: getattr(parameters, name) for name in names}
    values["min_data_in_leaf"] = values["min_data_in_leaf"] or rows.default_min_data_in_leaf
    return values
