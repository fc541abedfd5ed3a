"""Lists of session neighbours against sums made by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from benchmarks.quality.session_neighbours import last_positions, vmisknn, vsknn
from recommendations.ranking.histories import SessionHistories
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog

A, B, C, D, E = 1, 2, 3, 4, 5


def four_sessions() -> SessionLog:
    """Return a past of four sessions, oldest first."""
    return log_from_sessions([["a", "c"], ["b", "d"], ["a", "b", "e"], ["c", "d"]])


def test_vsknn_of_two_items_is_the_sum_made_by_hand() -> None:
    """The session a, b: ω(a) = 1/2, ω(b) = 1.

    r: {a, c} 1/2, {b, d} 1, {a, b, e} 3/2; λ: .8 where a is the newest shared item, .9 where it is b.
    a: .5·.8 + 1.5·.9 = 1.75; b: 1·.9 + 1.5·.9 = 2.25; c: .4; d: .9; e: 1.35.
    """
    listed = vsknn(four_sessions(), SessionHistories.of([[A, B]]), neighbours=3, newest=10, idf_weight=0.0, k=6)

    assert listed.tolist() == [[B, A, E, D, C, 0]]


def test_rare_items_rise_with_the_weight_of_idf() -> None:
    """By hand, e in one of 4 sessions, others in two: 1.35 · (1 + 5 · log 4) = 10.7, b 2.25 · (1 + 5 · log 2) = 10."""
    assert 1.35 * (1 + 5 * log(4)) > 2.25 * (1 + 5 * log(2)) > 1.75 * (1 + 5 * log(2))

    listed = vsknn(four_sessions(), SessionHistories.of([[A, B]]), neighbours=3, newest=10, idf_weight=5.0, k=3)

    assert listed.tolist() == [[E, B, A]]


def test_vmisknn_weighs_by_idf_alone() -> None:
    """By hand: b 2.25 · log 2 = 1.56, a 1.75 · log 2 = 1.21, e 1.35 · log 4 = 1.87, d .9 · log 2, c .4 · log 2."""
    listed = vmisknn(four_sessions(), SessionHistories.of([[A, B]]), neighbours=3, newest=10, k=6)

    assert listed.tolist() == [[E, B, A, D, C, 0]]


def test_an_item_that_every_session_holds_says_nothing_to_vmisknn() -> None:
    log_of = log_from_sessions([["a", "b"], ["a", "c"]])

    assert vmisknn(log_of, SessionHistories.of([[A]]), neighbours=2, newest=2, k=3).tolist() == [[B, C, 0]]


def test_of_equally_similar_sessions_the_newer_are_neighbours() -> None:
    past = log_from_sessions([["a", "b"], ["a", "c"], ["a", "d"]])

    listed = vsknn(past, SessionHistories.of([[A]]), neighbours=2, newest=3, idf_weight=0.0, k=4)

    assert listed.tolist() == [[A, C, D, 0]]


def test_only_the_newest_sessions_are_compared_however_similar_older_ones_are() -> None:
    """Both items are in the oldest session alone; with m = 2 it is not looked at."""
    past = log_from_sessions([["a", "b", "e"], ["a", "c"], ["b", "d"]])
    history = SessionHistories.of([[A, B]])

    assert E in vmisknn(past, history, neighbours=3, newest=3)[0]
    assert set(vmisknn(past, history, neighbours=3, newest=2)[0].tolist()) == {0, A, B, C, D}


def test_a_session_that_shares_only_what_was_seen_ten_steps_ago_counts_for_nothing() -> None:
    past = log_from_sessions([["a", "c"], ["b", "d"]])
    history = SessionHistories.of([[A, *[B] * 9]])

    assert set(vsknn(past, history, neighbours=2, newest=2, idf_weight=0.0)[0].tolist()) == {0, B, D}


def test_a_history_without_any_known_neighbour_gets_an_empty_list() -> None:
    past = log_from_sessions([["a", "b"], ["c"]])
    histories = SessionHistories.of([[], [C], [A]])

    listed = vsknn(past, histories, neighbours=5, newest=5, idf_weight=0.0, k=2)

    assert listed.tolist() == [[0, 0], [C, 0], [A, B]]


def test_the_last_position_of_a_repeated_item_counts() -> None:
    queries, items, positions = last_positions(SessionHistories.of([[A, B, A], [B]]))

    assert list(zip(queries.tolist(), items.tolist(), positions.tolist(), strict=True)) == [
        (0, A, 3), (0, B, 2), (1, B, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("newest", [3, 20])
def test_vmisknn_is_its_formula_written_out_session_by_session(newest: int) -> None:
    chance = np.random.default_rng(3)
    past = [[f"{chance.integers(12):02d}" for _ in range(int(chance.integers(1, 7)))] for _ in range(60)]
    log_of = log_from_sessions(past)
    histories = [chance.integers(1, log_of.n_items, int(chance.integers(1, 8))).tolist() for _ in range(30)]

    listed = vmisknn(log_of, SessionHistories.of(histories), neighbours=5, newest=newest, k=10)

    for row, history in zip(listed, histories, strict=True):
        expected = _written_out(log_of, history, neighbours=5, newest=newest)
        found = [expected[item] for item in row.tolist() if item]
        assert found == pytest.approx(sorted(expected.values(), reverse=True)[: len(found)], rel=1e-5)
        assert len(found) == min(10, sum(value > 0 for value in expected.values()))


def _written_out(log_of: SessionLog, history: list[int], *, neighbours: int, newest: int) -> dict[int, float]:
    sessions = [set(log_of.items[a:b].tolist()) for a, b in zip(log_of.offsets, log_of.offsets[1:], strict=False)]
    position = {item: number for number, item in enumerate(history, start=1)}
    sharing = [number for number, items in enumerate(sessions) if items & position.keys()][-newest:]
    similar = {n: sum(position[i] / len(history) for i in sessions[n] & position.keys()) for n in sharing}
    best = sorted(similar, key=lambda n: (-np.float32(similar[n]), -n))[:neighbours]
    scores: dict[int, float] = {}
    for n in best:
        back = len(history) - max(position[i] for i in sessions[n] & position.keys()) + 1
        for item in sessions[n]:
            holders = sum(item in items for items in sessions)
            gain = similar[n] * max(0, 1 - back / 10) * log(len(sessions) / holders)
            scores[item] = scores.get(item, 0.0) + gain
    return scores
