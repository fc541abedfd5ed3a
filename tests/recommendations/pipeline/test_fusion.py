"""Lists of sources become one score a candidate, and a ranker's order moves rows without inventing scores."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.core.types import Ranked
from recommendations.pipeline.fusion import fused, moved_up, reordered, votes_of
from recommendations.retrieval.base import listed


def of(*rows: int) -> Ranked:
    return listed(np.array(rows, np.int32))


def test_a_score_is_the_sum_of_weight_over_k_plus_rank() -> None:
    found = fused(votes_of({"a": of(7, 8), "b": of(8)}, {"a": 1.0, "b": 0.5}, k=10.0))

    scores = dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True))
    assert scores == {8: pytest.approx(1 / 12 + 0.5 / 11), 7: pytest.approx(1 / 11)}
    assert found.rows.tolist() == [8, 7]


def test_sources_that_list_different_variants_agree_about_their_product() -> None:
    product_of = np.array([0, 1, 1, 3, 4], np.int32)

    votes = votes_of({"a": of(0, 1), "b": of(3, 2), "c": of(4)}, {"a": 1.0, "b": 1.0, "c": 0.5}, k=10.0)

    found = fused(votes, product_of=product_of)

    assert found.rows.tolist()[0] in (1, 2)
    assert found.scores.tolist() == pytest.approx([2 / 12, 1 / 11, 1 / 11, 0.5 / 11])
    assert product_of[found.rows].tolist() == [1, 0, 3, 4]
    heavier = fused(votes_of({"a": of(1), "b": of(2)}, {"a": 1.0, "b": 2.0}, k=10.0), product_of=product_of)
    assert heavier.rows.tolist() == [2], "the variant that one source gives the most"


def test_a_source_without_weight_or_without_rows_adds_nothing() -> None:
    assert fused(votes_of({"a": of(7), "b": of()}, {"a": 0.0, "b": 1.0}, k=10.0)).rows.tolist() == []
    assert fused(votes_of({"a": of(7)}, {}, k=10.0)).rows.tolist() == []


def test_a_ranker_orders_the_rows_that_it_knows_among_their_own_positions() -> None:
    ranked = Ranked(rows=np.array([1, 2, 3, 4], np.int32), scores=np.array([4, 3, 2, 1], np.float32))

    found = reordered(ranked, np.array([4, 9, 1], np.int32))

    assert found.rows.tolist() == [4, 2, 3, 1]
    assert found.scores.tolist() == [4, 3, 2, 1]


def test_rows_move_up_to_their_positions_and_never_down() -> None:
    ranked = of(1, 2, 3, 4)

    assert moved_up(ranked, {4: 0, 1: 2, 99: 0}).rows.tolist() == [4, 1, 2, 3]
    assert moved_up(ranked, {}).rows.tolist() == [1, 2, 3, 4]
