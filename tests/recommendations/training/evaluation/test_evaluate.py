"""Any predictor is asked one by one and measured by what came next."""

from __future__ import annotations

import numpy as np

from recommendations.training.data.split import points_at_every_position
from recommendations.training.evaluation.evaluate import by_index, evaluate, points_from_ids


def test_evaluate_asks_one_by_one_and_measures_any_predictor(aisles):
    points = points_at_every_position(aisles).take(np.arange(50))
    answers = iter(points.targets.tolist())

    def oracle(history):
        return [next(answers)]

    evaluation = evaluate(oracle, points, item_counts=aisles.counts())

    assert evaluation.metrics.values["mrr@20"] == 1.0
    assert 0 <= evaluation.p50_ms <= evaluation.p99_ms


def test_points_given_as_ids_lose_unknown_items_and_keep_unknown_targets_as_misses():
    points = points_from_ids([(["a", "?", "b"], "b"), (["?"], "?")], ("", "a", "b"))

    assert [points.histories[i].tolist() for i in range(2)] == [[1, 2], []]
    assert points.targets.tolist() == [2, 0]


def test_unknown_ids_of_an_answer_keep_their_rank_and_cannot_hit():
    item_ids = ("", "a", "b")

    predict = by_index(lambda history: ["?", *history, "a"], item_ids)

    assert predict(np.array([2, 1], np.int32)) == [0, 2, 1, 1]


def test_lists_are_cut_at_k_and_short_ones_are_misses():
    points = points_from_ids([(["a"], "b"), (["b"], "a")], ("", "a", "b"))
    answers = {1: [1, 1, 2], 2: []}

    for k, share in ((3, 0.5), (2, 0.0)):
        found = evaluate(lambda history: answers[int(history[0])], points, item_counts=np.ones(3, np.int64), k=k)
        assert found.metrics.values["hr@20"] == share


def test_nothing_to_ask_takes_no_time():
    found = evaluate(lambda history: [], points_from_ids([], ("", "a")), item_counts=np.ones(2, np.int64))

    assert (found.metrics.n, found.p50_ms, found.p99_ms) == (0, 0.0, 0.0)
