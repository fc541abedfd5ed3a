"""ALS and BM25 where only one answer is right."""

from __future__ import annotations

import pytest

from benchmarks.quality.item_models import als, bm25
from recommendations.ranking.histories import SessionHistories
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog


def two_aisles() -> SessionLog:
    """Return sessions of a, b, c and of d, e, f; nobody goes from one to the other."""
    return log_from_sessions([["a", "b"], ["b", "c"], ["a", "c"], ["d", "e"], ["e", "f"], ["d", "f"]] * 5)


@pytest.mark.parametrize("model", ["als", "bm25"])
def test_a_session_in_one_aisle_gets_that_aisle(model: str) -> None:
    histories = SessionHistories.of([[1], [4, 5]])
    log = two_aisles()

    if model == "als":
        listed = als(log, histories, factors=2, alpha=10.0, k=3)
    else:
        listed = bm25(log, histories, neighbours=3, saturation=1.2, k=4)

    assert set(listed[0, :3].tolist()) == {1, 2, 3}
    assert set(listed[1, :3].tolist()) == {4, 5, 6}


def test_bm25_is_the_sum_made_by_hand() -> None:
    """Sessions {a, b} twice, {a, c}, {d} thrice: four items as documents, in 9 / 4 sessions in the mean.

    An item in n sessions counts 2.2 / (1.2 · (.25 + .75 · n / 2.25) + 1) in each: a .88, b 1.048, c 1.294; a session of
    two items log 4 - log 3. From a, but for that factor: a 3 · .88² = 2.32, b 2 · .88 · 1.048 = 1.84,
    c .88 · 1.294 = 1.14; d shares nothing.
    """
    log = log_from_sessions([["a", "b"], ["a", "b"], ["a", "c"], ["d"], ["d"], ["d"]])

    listed = bm25(log, SessionHistories.of([[1], [4], []]), neighbours=5, saturation=1.2, k=5)

    assert listed.tolist() == [[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
