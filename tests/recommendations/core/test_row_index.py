from __future__ import annotations

import threading

import numpy as np
import pytest

from recommendations.core.row_index import is_first, last_positions, positions_in
from recommendations.core.types import Ranked, summed_by_row


@pytest.mark.parametrize("seed", range(20))
def test_places_are_those_of_a_search_whatever_was_looked_up_before(seed):
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(10, 5_000))
    for _ in range(5):
        listed = rng.permutation(n_rows)[: int(rng.integers(1, n_rows))].astype(np.int32)
        wanted = rng.integers(0, 2 * n_rows, 300)
        where = {row: position for position, row in enumerate(listed.tolist())}

        positions, is_listed = positions_in(listed, wanted)

        assert is_listed.tolist() == [row in where for row in wanted.tolist()]
        assert positions[is_listed].tolist() == [where[row] for row in wanted.tolist() if row in where]


def test_nothing_is_wanted():
    positions, is_listed = positions_in(np.array([3], np.int32), np.empty(0, np.int32))

    assert (len(positions), len(is_listed)) == (0, 0)


def test_equal_rows_share_their_last_place():
    assert last_positions(np.array([7, 2, 7, 9, 2], np.int32)).tolist() == [2, 4, 2, 3, 4]


def test_threads_do_not_write_into_each_others_tables():
    wrong = []

    def look(seed):
        rng = np.random.default_rng(seed)
        for _ in range(300):
            listed = rng.permutation(1_000)[:200].astype(np.int32)
            positions, is_listed = positions_in(listed, listed)
            if positions.tolist() != list(range(200)) or not is_listed.all():
                wrong.append(seed)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


@pytest.mark.parametrize("seed", range(20))
def test_sums_and_order_are_those_of_sorting_by_two_keys(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 200, 600).astype(np.int32)
    scores = (rng.integers(1, 20, 600) / 16).astype(np.float32)  # exact sums, many ties

    best = summed_by_row(rows, scores).best_first()

    unique, where = np.unique(rows, return_inverse=True)
    sums = np.bincount(where, weights=scores).astype(np.float32)
    order = np.lexsort((unique, -sums))
    assert best.rows.tolist() == unique[order].tolist()
    assert best.scores.tolist() == sums[order].tolist()
    assert [best.rows.dtype, best.scores.dtype] == [np.int32, np.float32]


def test_scores_below_one_and_far_above_are_in_order():
    scores = np.array([1e-30, 3e30, 0.5, 0.0, 1.0], np.float32)

    assert Ranked(rows=np.arange(5, dtype=np.int32), scores=scores).best_first().rows.tolist() == [1, 4, 2, 0, 3]


@pytest.mark.parametrize("seed", range(5))
def test_the_first_of_each_is_found(seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 50, 200).astype(np.int32)

    assert np.flatnonzero(is_first(rows)).tolist() == sorted(np.unique(rows, return_index=True)[1].tolist())
    assert is_first(rows[:0]).tolist() == []
