"""One training run: split by time, learn, measure, fit again on everything; each stage is kept until the run ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import lightgbm
import numpy as np
from threadpoolctl import threadpool_limits

from recommendations.ranking.rrf import FusionWeights
from recommendations.training.data.dataset import InvalidDataset, SessionLog, popularity_vocabulary
from recommendations.training.data.items import ItemFeatures
from recommendations.training.data.label_weights import Impressions, examination, parameters_of
from recommendations.training.data.split import split_after, split_by_time
from recommendations.training.evaluation.measuring import Measured, OpenBaseline, measured_on
from recommendations.training.evaluation.metrics import Metrics
from recommendations.training.fit.ranker import as_ranker
from recommendations.training.fit.sources import FIT_CLASSES, Fit, fit_sources
from recommendations.training.fitted import FittedModelSet, LearntObjective, ReliabilityBin
from recommendations.training.learning import Beside, Learnt, learn
from recommendations.training.settings import Progress, RankerParameters, TrainingSettings, no_progress
from recommendations.training.stages import Stages

MIN_SESSIONS = 20
OBJECTIVE_CLASSES = (LearntObjective, ReliabilityBin)


def train_model_set(  # the entry to training: all but the log has a default
    dataset: SessionLog,
    *,
    settings: TrainingSettings | None = None,
    progress: Progress = no_progress,
    catalogue: Iterable[str] = (),
    baselines: Mapping[str, OpenBaseline] | None = None,
    items: Mapping[str, ItemFeatures] | None = None,
    impressions: Impressions | None = None,
    tuning_storage: Path | None = None,
    stages: Stages | None = None,
) -> FittedModelSet:
    """Train the default model set.

    1. The newest sessions are held out for metrics, and the newest of the rest for validation.
    2. Sources are fitted on what is before validation; fusion weights are tuned and the ranker is trained on it.
    3. Sources are fitted on all that is before the held-out time, and everything is measured on it.
    4. Sources are fitted once more on all sessions (``settings.refit``) and handed over.

    Nothing that was learned in 2 depends on an item's index, so it holds for the sources of 3 and 4. Memory: the log
    once, one set of sources, and what one step needs beside them (docs/training.md).

    Parameters
    ----------
    dataset : SessionLog
    progress : called with (step, done, total)
    catalogue : item ids
        Items without a session get an index too, so that the graphs can hide or boost them.
    baselines : how to open predictors, by name
        Measured on the same points and under their own names: the live version, for the gate.
    items : features by item id
        Prices, categories and brands for the ranker, and what margins are computed from.
    impressions : Impressions, optional
        What was shown and clicked where; needed for ``settings.position_clip``.
    tuning_storage : Path, optional
        SQLite file of the parameter search; a run on the same data resumes it.
    stages : Stages, optional
        Where results of stages are kept, so that a run that was killed can be resumed; none are unless this says so.

    Raises
    ------
    InvalidDataset
        There are too few sessions, or none with two items to learn what follows what.
    """
    settings = settings or TrainingSettings()
    beside = Beside(
        items=items or {},
        looked=examination(impressions) if impressions is not None else None,
        tuning_storage=tuning_storage,
    )
    run = _Run(settings, beside, tuple(catalogue), stages or Stages(), progress)
    with threadpool_limits(settings.num_threads):
        return run.trained(_bounded(dataset, settings), baselines or {})


class _Run:
    """What every stage of a run is given."""

    def __init__(
        self,
        settings: TrainingSettings,
        beside: Beside,
        catalogue: tuple[str, ...],
        stages: Stages,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._beside = beside
        self._catalogue = catalogue
        self._stages = stages
        self._progress = progress

    def trained(self, dataset: SessionLog, baselines: Mapping[str, OpenBaseline]) -> FittedModelSet:
        """Go through the stages in order."""
        known, held_out = _held_out(dataset, self._settings)
        learnt = self._learnt(known)
        measured, fit = Measured(), None
        if held_out is None:
            fit = self._fit("fit", known)
        else:
            fits: list[Fit] = []

            def measure() -> Measured:
                fits.append(self._fit("fit", known))
                return measured_on(
                    held_out, fits[0], learnt, dataset=dataset, baselines=baselines, settings=self._settings,
                    progress=self._progress,
                )  # fmt: skip

            measured = self._stages.run("measured", measure, (Measured, Metrics, *OBJECTIVE_CLASSES))
            fit = None if self._settings.refit or not fits else fits[0]
            del fits
        if fit is None:
            label, part = ("fit on all", dataset) if self._settings.refit else ("fit", known)
            fit = self._fit(label, part)
        return self._model_set(fit, learnt, measured, decimals=dataset.decimals)

    def _learnt(self, known: SessionLog) -> Learnt:
        earlier, validation = split_by_time(known, held_out=self._settings.validation)

        def learnt() -> Learnt:
            return learn(
                known,
                validation,
                lambda: self._fit("fit for validation", earlier, with_catalogue=False),
                beside=self._beside,
                settings=self._settings,
                progress=self._progress,
            )

        found = self._stages.run("learnt", learnt, (Learnt, FusionWeights, RankerParameters, *OBJECTIVE_CLASSES))
        self._stages.drop("fit for validation")
        return found

    def _fit(self, label: str, part: SessionLog, *, with_catalogue: bool = True) -> Fit:
        def fit() -> Fit:
            log = part.reindexed(popularity_vocabulary(part, catalogue=self._catalogue if with_catalogue else ()))
            sources = fit_sources(
                log, settings=self._settings, items=self._beside.items, progress=self._progress, label=label
            )
            return Fit(item_ids=log.item_ids, data_range=log.data_range(), sources=sources)

        return self._stages.run(label, fit, FIT_CLASSES)

    def _model_set(self, fit: Fit, learnt: Learnt, measured: Measured, *, decimals: int) -> FittedModelSet:
        ranker = None
        if learnt.booster_text is not None and measured.ranker_wins():
            booster = lightgbm.Booster(model_str=learnt.booster_text)
            ranker = as_ranker(
                booster,
                fit.sources.tables,
                decimals=decimals,
                objectives=measured.objectives or learnt.objectives,
            )
        settings = {
            name: float(value) for name, value in asdict(self._settings).items() if isinstance(value, int | float)
        }
        return FittedModelSet(
            item_ids=fit.item_ids,
            als=fit.sources.als,
            neighbours=fit.sources.neighbours,
            sessions=fit.sources.sessions,
            popularity=fit.sources.popularity,
            fusion=learnt.fusion,
            ranker=ranker,
            metrics=measured.flat(),
            data_range=fit.data_range,
            seeds={"training": self._settings.seed},
            parameters={
                "settings": settings,
                "fusion": {**learnt.fusion.weights, "k": learnt.fusion.k},
                "ranker": {name: float(value) for name, value in asdict(learnt.parameters).items()},
                "examination": parameters_of(self._beside.looked),
            },
        )


def _bounded(dataset: SessionLog, settings: TrainingSettings) -> SessionLog:
    """Return the newest sessions that may be trained on; raise ``InvalidDataset`` where there are too few."""
    if len(dataset) < MIN_SESSIONS or int(dataset.lengths.max(initial=0)) < 2:
        raise InvalidDataset(
            f"{len(dataset)} sessions with at most {int(dataset.lengths.max(initial=0))} interactions each are too few;"
            f" {MIN_SESSIONS} sessions, some of two or more, are the least that can be trained on."
        )
    first = int(np.searchsorted(dataset.offsets, len(dataset.items) - settings.max_interactions))
    return dataset.between(first, len(dataset))


def _held_out(dataset: SessionLog, settings: TrainingSettings) -> tuple[SessionLog, SessionLog | None]:
    if settings.held_out_after_ms is not None:
        return split_after(dataset, after_ms=settings.held_out_after_ms)
    return split_by_time(dataset, held_out=settings.held_out) if settings.held_out else (dataset, None)
