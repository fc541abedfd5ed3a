from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.histories import SessionHistories
from recommendations.training.data.split import TestPoints
from recommendations.training.evaluation.metrics import measure


def points(histories, targets):
    return TestPoints(
        histories=SessionHistories.of(histories),
        targets=np.array(targets, np.int32),
        kinds=np.zeros(len(targets), np.uint8),
    )


def lists(*rows):
    ranked = np.zeros((len(rows), 20), np.int32)
    for row, items in enumerate(rows):
        ranked[row, : len(items)] = items
    return ranked


COUNTS = np.array([0, 8, 4, 2, 1])


def test_known_answers_by_hand():
    measured = measure(lists([1, 2], [2, 3, 1], [4]), points([[1], [2], [3]], [2, 1, 3]), item_counts=COUNTS).values

    assert measured["hr@20"] == pytest.approx(2 / 3)
    assert measured["mrr@20"] == pytest.approx((1 / 2 + 1 / 3) / 3)
    assert measured["ndcg@10"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(4)) / 3)
    assert measured["new_hr@20"] == 1.0  # item 3 after item 3 is a repeat, the other two are new
    assert measured["repeat_hr@20"] == 0.0
    assert measured["coverage@20"] == 1.0
    assert measured["repeat_share@20"] == pytest.approx(2 / 6)
    assert measured["popularity_share@20"] == pytest.approx((8 + 4 + 4 + 2 + 8 + 1) / 6 / 8)


def test_a_hit_beyond_ten_counts_at_twenty_only():
    measured = measure(
        np.arange(1, 21, dtype=np.int32)[None], points([[1]], [15]), item_counts=np.ones(21, np.int64)
    ).values

    assert (measured["hr@10"], measured["hr@20"]) == (0.0, 1.0)
    assert measured["ndcg@10"] == 0.0
    assert measured["ndcg@20"] == pytest.approx(1 / np.log2(16))


def test_an_unknown_target_is_a_miss_even_where_the_list_is_padded():
    measured = measure(lists([1]), points([[1]], [0]), item_counts=COUNTS).values

    assert measured["hr@20"] == 0.0
    assert measured["unknown_target_share"] == 1.0


def test_length_bands_partition_the_points():
    measured = measure(
        lists([2], [1], [3], [4]), points([[1], [1, 2], [1] * 7, [1] * 30], [2, 2, 3, 1]), item_counts=COUNTS
    )

    assert {name: band["hr@20"] for name, band in measured.by_length.items()} == {
        "1": 1.0,
        "2-3": 0.0,
        "4-7": 1.0,
        "8+": 0.0,
    }
    assert sum(band["points"] for band in measured.by_length.values()) == measured.n


def test_segments_are_measured_apart():
    names = np.array(["new", "loyal", "new"])

    measured = measure(
        lists([2], [2, 1], []),
        points([[1], [2], [3]], [2, 1, 4]),
        item_counts=np.array([0, 1, 1, 1, 1]),
        segments=names,
    )

    assert measured.by_segment == {
        "loyal": {"points": 1, "hr@20": 1, "mrr@20": 0.5},
        "new": {"points": 2, "hr@20": 0.5, "mrr@20": 0.5},
    }
