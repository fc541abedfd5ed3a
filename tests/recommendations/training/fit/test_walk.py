from __future__ import annotations

import numpy as np

from recommendations.training.data.building import log_from_sessions
from recommendations.training.fit import walk as module
from recommendations.training.fit.walk import fit_walk


def test_an_item_two_sessions_away_is_reached_and_a_strange_one_is_not():
    log = log_from_sessions([["a", "b"], ["b", "c"], ["x", "y"]])

    table = fit_walk(log, k=5)

    a = log.item_ids.index("a")
    assert {log.item_ids[i] for i in table.indices[a] if i} == {"a", "b", "c"}


def test_one_step_through_sessions_is_the_chance_to_arrive():
    log = log_from_sessions([["a", "b"], ["a", "c"]])

    table = fit_walk(log, k=5, step_weights=(1.0,), order_share=0.0, recency_decay=1e9, popularity_penalty=0.0)

    a, b, c = (log.item_ids.index(item) for item in "abc")
    assert table.indices[a][:3].tolist() == [a, b, c]
    np.testing.assert_allclose(table.weights[a][:3], [0.5, 0.25, 0.25], rtol=1e-5)


def test_newer_sessions_are_stepped_through_more_often():
    log = log_from_sessions([["a", "old"], ["a", "new"]])

    table = fit_walk(log, k=5, step_weights=(1.0,), order_share=0.0, recency_decay=0.5)

    neighbours = [log.item_ids[i] for i in table.indices[log.item_ids.index("a")] if i]
    assert neighbours.index("new") < neighbours.index("old")


def test_the_size_of_a_block_changes_nothing(aisles, monkeypatch):
    whole = fit_walk(aisles, k=10)
    monkeypatch.setattr(module, "BLOCK_ROWS", 7)

    in_blocks = fit_walk(aisles, k=10)

    np.testing.assert_array_equal(whole.indices, in_blocks.indices)
    np.testing.assert_allclose(whole.weights, in_blocks.weights, rtol=1e-6)
