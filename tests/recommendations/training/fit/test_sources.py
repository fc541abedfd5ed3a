"""All sources of a model set, fitted together: which there are, and what items say of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.columns import ITEM_COLUMNS, LIST_DEPTH
from recommendations.ranking.histories import SessionHistories
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import Kind
from recommendations.training.fit.sources import (
    SOURCES,
    fit_popularity,
    fit_sources,
    item_columns,
    list_sources,
)
from recommendations.training.settings import TrainingSettings

SETTINGS = TrainingSettings(factors=4, als_iterations=1, num_threads=1)


def with_kinds(log, kinds):
    values = {name: getattr(log, name) for name in log.__slots__}
    return type(log)(**values | {"kinds": np.array(kinds, np.uint8)})


def test_every_source_lists_and_baskets_only_where_something_was_bought(aisles):
    fitted = fit_sources(aisles, settings=SETTINGS)
    histories = SessionHistories.of([[1], [2, 3]])

    lists = list_sources(fitted, histories, names=SOURCES)

    assert tuple(lists) == SOURCES
    assert all(found.items.shape == (2, LIST_DEPTH) and found.items[:, 0].all() for found in lists.values())
    assert "baskets" not in {table.name for table in fitted.neighbours}
    bought = fit_sources(with_kinds(aisles, [Kind.PURCHASE] * len(aisles.items)), settings=SETTINGS)
    assert bought.table("baskets").weights.any()


def test_recent_popularity_counts_the_newest_sessions_only():
    log = log_from_sessions([["a", "b"]] * 97 + [["b", "b"]] * 3)

    popularity = fit_popularity(log)

    assert popularity.all_time.tolist() == [0, 97, 103]
    assert popularity.recent.tolist() == [0, 0, 6]


def test_rates_of_items_are_smoothed():
    log = with_kinds(
        log_from_sessions([["a", "a", "b"], ["a", "b"]]), [Kind.VIEW, Kind.CART, Kind.VIEW, Kind.VIEW, Kind.PURCHASE]
    )

    columns = item_columns(log, fit_popularity(log))

    a = dict(zip(ITEM_COLUMNS, columns[1].tolist(), strict=True))
    assert list(a.values()) == pytest.approx(
        [
            np.log1p(3),
            np.log1p(1),  # the newest of two sessions
            2 / (3 * 0.03 + 1),
            1 / (3 + 10),  # reloaded once, followed by something three times
            (3 - 2) / (3 + 5),
            1 / (3 + 10),
            (0 + 50 * 0.2) / (3 + 50),  # one in five interactions of the site is a purchase
        ],
        rel=1e-5,
    )
    assert not columns[0].any()


def test_steps_are_reported_to_their_end(aisles):
    steps = []

    fit_sources(aisles, settings=SETTINGS, progress=lambda *step: steps.append(step), label="fit again")

    assert {name for name, _, _ in steps} == {"fit again"}
    assert [done for _, done, _ in steps] == list(range(8))
    assert steps[-1][1] == steps[-1][2]
