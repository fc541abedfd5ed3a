"""What is done in pieces to bound memory gives what it gives at once."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.training.data import building, sparse_rows
from recommendations.training.data.building import log_from_columns
from recommendations.training.data.dataset import Kind
from recommendations.training.data.sparse_rows import row_blocks
from recommendations.training.data.split import points_at_every_position
from recommendations.training.fit import batch, neighbours, walk
from recommendations.training.fit.sessions import fit_sessions


def assert_same(one, other):
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-5)


@pytest.mark.parametrize("fit", [neighbours.fit_covisitation, neighbours.fit_next, walk.fit_walk])
def test_tables_in_blocks_are_the_tables(fit, aisles, monkeypatch):
    whole = fit(aisles, k=10)
    monkeypatch.setattr(neighbours, "MAX_PAIRS", 500.0)
    monkeypatch.setattr(walk, "MAX_PRODUCTS", 300.0)
    monkeypatch.setattr(walk, "BLOCK_ROWS", 7)
    monkeypatch.setattr(sparse_rows, "BLOCK_ROWS", 5)

    assert_same(whole, fit(aisles, k=10))


def test_few_prefixes_at_a_time_get_the_lists_of_many(aisles, monkeypatch):
    index, points = fit_sessions(aisles), points_at_every_position(aisles, most=100)
    whole = batch.score_sessions(index, points.prefixes, k=5)
    monkeypatch.setattr(batch, "MAX_CELLS", 3 * aisles.n_items)

    found = batch.score_sessions(index, points.prefixes, k=5)

    np.testing.assert_array_equal(found.items, whole.items)


def test_rows_are_cut_into_runs_that_cost_no_more_than_they_may():
    costs = np.array([9, 1, 1, 1, 5, 0, 2])

    assert list(row_blocks(costs, 3)) == [(0, 1), (1, 4), (4, 5), (5, 7)]
    assert list(row_blocks(costs, 100)) == [(0, 7)]


def test_rows_in_any_order_become_sessions_in_the_order_of_their_ends(monkeypatch):
    monkeypatch.setattr(building, "PIECE", 2)
    columns = {
        "items": np.array([1, 2, 3, 4, 5], np.int32),
        "kinds": np.array([0, 0, 2, 0, 1], np.uint8),
        "occurred_at_ms": np.array([50, 10, 40, 20, 30]),
        "sessions": np.array([7, 7, 9, 9, 8], np.uint64),
        "users": np.array([3, -1, 5, 5, -1]),
    }

    log = log_from_columns(("", *"abcde"), columns)

    assert [log.items[s:e].tolist() for s, e in zip(log.offsets[:-1], log.offsets[1:], strict=True)] == [
        [5],
        [4, 3],
        [2, 1],
    ]
    assert log.users.tolist() == [-1, 1, 0]
    assert log.kinds.tolist() == [Kind.CART, Kind.VIEW, Kind.PURCHASE, Kind.VIEW, Kind.VIEW]
    assert not columns


def test_points_may_be_the_newest_or_some_of_all(aisles):
    every = points_at_every_position(aisles)
    newest, some = points_at_every_position(aisles, newest=30), points_at_every_position(aisles, most=40)

    np.testing.assert_array_equal(newest.targets, every.targets[-30:])
    np.testing.assert_array_equal(
        newest.prefixes.items, every.take(np.arange(len(every) - 30, len(every))).prefixes.items
    )
    assert len(some) == 40
    assert some.targets[-1] == every.targets[-1]
