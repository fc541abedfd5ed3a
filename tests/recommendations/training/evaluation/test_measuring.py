"""Whether the ranker is used, and measurements as a flat table."""

from __future__ import annotations

import pytest

from recommendations.training.evaluation.measuring import MIN_POINTS, Measured
from recommendations.training.evaluation.metrics import Metrics


def metrics(n, mrr, **parts):
    return Metrics(n=n, values={"mrr@20": mrr}, by_length={}, **parts)


@pytest.mark.parametrize(
    ("n", "ranker", "wins"),
    [
        (MIN_POINTS, 0.31, True),
        (MIN_POINTS, 0.30, False),  # no better than fusion: not worth its time
        (MIN_POINTS - 1, 0.1, True),  # too little was measured to tell
    ],
)
def test_the_ranker_wins_where_it_beats_fusion_on_enough_points(n, ranker, wins):
    measured = Measured(by_predictor={"fusion": metrics(n, 0.30), "ranker": metrics(n, ranker)})

    assert measured.ranker_wins() is wins


def test_without_held_out_time_the_ranker_is_used():
    assert Measured().ranker_wins()
    assert Measured().flat() == {}


def test_parts_of_the_points_stand_beside_the_whole():
    found = Metrics(
        n=3,
        values={"hr@20": 0.5},
        by_length={"2-3": {"points": 2.0, "hr@20": 1.0}},
        by_segment={"new": {"hr@20": 0.25}},
    )

    assert Measured(by_predictor={"als": found}).flat() == {
        "als": {
            "points": 3.0,
            "hr@20": 0.5,
            "points|length=2-3": 2.0,
            "hr@20|length=2-3": 1.0,
            "hr@20|segment=new": 0.25,
        }
    }
