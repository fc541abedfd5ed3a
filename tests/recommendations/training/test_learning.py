"""What is learnt on the validation part, and when there is too little to learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import popularity_vocabulary
from recommendations.training.data.history import DAY_MS
from recommendations.training.data.split import points_at_every_position, split_by_time
from recommendations.training.fit.sources import Fit, fit_sources
from recommendations.training.learning import (
    DEFAULT_FUSION,
    FUSED_SOURCES,
    POPULARITY_DAYS,
    Beside,
    learn,
    recent_part,
)
from recommendations.training.settings import RankerParameters, TrainingSettings, no_progress

SETTINGS = TrainingSettings(factors=4, als_iterations=1, trees=5, min_queries=50, tuning_queries=60, num_threads=1)
NOTHING_BESIDE = Beside(items={}, looked=None, tuning_storage=None)


def learnt_from(log, *, held_out=0.3, settings=SETTINGS):
    earlier, validation = split_by_time(log, held_out=held_out)

    def fit_earlier():
        known = earlier.reindexed(popularity_vocabulary(earlier))
        return Fit(
            item_ids=known.item_ids, data_range=known.data_range(), sources=fit_sources(known, settings=settings)
        )

    return learn(log, validation, fit_earlier, beside=NOTHING_BESIDE, settings=settings, progress=no_progress)


def test_weights_and_a_ranker_are_learnt_from_enough_sessions(aisles):
    learnt = learnt_from(aisles)

    assert set(learnt.fusion.weights) <= set(FUSED_SOURCES)
    assert max(learnt.fusion.weights.values()) > 0
    assert learnt.booster_text.startswith("tree")
    assert learnt.parameters == RankerParameters()


def test_too_few_hits_give_weights_and_no_ranker(aisles):
    learnt = learnt_from(aisles, settings=replace(SETTINGS, min_queries=100_000))

    assert learnt.booster_text is None
    assert learnt.fusion.weights


def test_validation_sessions_of_one_item_leave_the_defaults():
    learnt = learnt_from(log_from_sessions([["a", "b"]] * 30 + [["a"]] * 10), held_out=0.25)

    assert learnt.fusion == DEFAULT_FUSION
    assert learnt.booster_text is None


@pytest.mark.parametrize("has_times", [True, False])
def test_popularity_before_the_points_needs_a_week_only(has_times):
    log = log_from_sessions([["a", "b"]] * 30)
    values = {name: getattr(log, name) for name in log.__slots__}
    at_ms = np.repeat(np.arange(30) * DAY_MS, 2)  # a session a day
    log = type(log)(**values | {"occurred_at_ms": at_ms, "has_times": has_times})
    points = points_at_every_position(log.between(20, 30))

    part = recent_part(log, points)

    assert len(part) == (10 + POPULARITY_DAYS if has_times else 30)
