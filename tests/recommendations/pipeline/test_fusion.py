"""Lists of sources become one score a candidate, and a ranker's order moves rows without inventing scores."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.core.types import Ranked
from recommendations.pipeline.fusion import fused, moved_up, reordered
from recommendations.retrieval.base import listed


def of(*rows: int) -> Ranked:
    return listed(np.array(rows, np.int32))


def test_a_score_is_the_sum_of_weight_over_k_plus_rank() -> None:
    found = fused({"a": of(7, 8), "b": of(8)}, {"a": 1.0, "b": 0.5}, k=10.0)

    scores = dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True))
    assert scores == {8: pytest.approx(1 / 12 + 0.5 / 11), 7: pytest.approx(1 / 11)}
    assert found.rows.tolist() == [8, 7]


def test_a_source_without_weight_or_without_rows_adds_nothing() -> None:
    assert fused({"a": of(7), "b": of()}, {"a": 0.0, "b": 1.0}, k=10.0).rows.tolist() == []
    assert fused({"a": of(7)}, {}, k=10.0).rows.tolist() == []


def test_a_ranker_orders_the_rows_that_it_knows_among_their_own_positions() -> None:
    ranked = Ranked(rows=np.array([1, 2, 3, 4], np.int32), scores=np.array([4, 3, 2, 1], np.float32))

    found = reordered(ranked, np.array([4, 9, 1], np.int32))

    assert found.rows.tolist() == [4, 2, 3, 1]
    assert found.scores.tolist() == [4, 3, 2, 1]


def test_rows_move_up_to_their_positions_and_never_down() -> None:
    ranked = of(1, 2, 3, 4)

    assert moved_up(ranked, {4: 0, 1: 2, 99: 0}).rows.tolist() == [4, 1, 2, 3]
    assert moved_up(ranked, {}).rows.tolist() == [1, 2, 3, 4]
