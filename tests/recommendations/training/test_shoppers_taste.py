"""A world in which only a shopper's past orders tell which of two items comes next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recommendations.training.data.building import log_from_frame
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.items import ItemFeatures
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

LINES, USERS, HOUR_MS = 12, 150, 3_600_000
SETTINGS = TrainingSettings(
    factors=8, als_iterations=3, trees=40, min_queries=50, tuning_queries=200, num_threads=1, refit=False, held_out=0.2
)
ITEM_FEATURES = {
    **{f"line{line}": ItemFeatures(category=f"Line {line}", price=50.0) for line in range(LINES)},
    **{f"cheap{line}": ItemFeatures(category=f"Line {line}", price=5.0) for line in range(LINES)},
    **{f"dear{line}": ItemFeatures(category=f"Line {line}", price=500.0) for line in range(LINES)},
}


@pytest.fixture(scope="module")
def log() -> SessionLog:
    """Everybody ordered once, for 10 or for 1,000; then looks at a line, and at what they can pay of it."""
    rng = np.random.default_rng(3)
    rows = [
        (f"u{user}", f"first{user}", user, "gift", "purchase", 1_000.0 if user % 2 else 10.0) for user in range(USERS)
    ]
    for session in range(1_500):
        user, line = int(rng.integers(USERS)), int(rng.integers(LINES))
        start = (1 + session) * HOUR_MS
        wanted = f"dear{line}" if user % 2 else f"cheap{line}"
        rows += [
            (f"u{user}", f"s{session}", start, f"line{line}", "view", 0.0),
            (f"u{user}", f"s{session}", start + 1, wanted, "view", 0.0),
        ]
    columns = ["user_key", "session_id", "occurred_at_ms", "item_id", "kind", "price"]
    return log_from_frame(pl.DataFrame(rows, schema=columns, orient="row"))


def mrr(log: SessionLog, **kept: object) -> dict[str, float]:
    metrics = train_model_set(log, settings=SETTINGS, **kept).metrics  # type: ignore[arg-type]
    return {name: values["mrr@20"] for name, values in metrics.items()}


def test_the_ranker_learns_who_buys_dear_items(log: SessionLog) -> None:
    found = mrr(log, items=ITEM_FEATURES)

    assert found["ranker"] > 0.95
    assert found["fusion"] < 0.85  # the sources cannot know


def test_without_users_it_is_a_guess_between_the_two(log: SessionLog) -> None:
    nameless = replace(log, users=np.full(len(log), -1, np.int32))

    assert 0.6 < mrr(nameless, items=ITEM_FEATURES)["ranker"] < 0.85


def test_metrics_are_told_by_segment(log: SessionLog) -> None:
    metrics = train_model_set(log, settings=SETTINGS, items=ITEM_FEATURES).metrics["ranker"]

    parts = {name.partition("segment=")[2]: value for name, value in metrics.items() if "points|segment=" in name}
    assert sum(parts.values()) == metrics["points"]
    assert len(parts) > 1
