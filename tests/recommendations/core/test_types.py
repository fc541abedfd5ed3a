"""Candidates keep their order and their sums, whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.types import NOTHING_RANKED, Ranked, summed_by_row

SCORES = st.floats(2**-10, 2.0**20, width=32)


def ranked(scores: dict[int, float]) -> Ranked:
    return Ranked(rows=np.array([*scores], np.int32), scores=np.array([*scores.values()], np.float32))


@given(st.dictionaries(st.integers(0, 1_000_000), SCORES, min_size=1, max_size=50))
def test_best_first_is_sorting_by_score_and_then_by_row(scores: dict[int, float]) -> None:
    candidates = ranked(scores)
    expected = sorted(
        zip(candidates.rows.tolist(), candidates.scores.tolist(), strict=True), key=lambda p: (-p[1], p[0])
    )

    best = candidates.best_first()

    assert list(zip(best.rows.tolist(), best.scores.tolist(), strict=True)) == expected


@given(st.lists(st.tuples(st.integers(0, 20), SCORES), min_size=1, max_size=60))
def test_a_row_that_several_sources_list_gets_the_sum_of_their_scores(pairs: list[tuple[int, float]]) -> None:
    expected: dict[int, float] = {}
    for row, score in pairs:
        expected[row] = expected.get(row, 0.0) + score

    found = summed_by_row(np.array([row for row, _ in pairs], np.int32), np.array([s for _, s in pairs], np.float32))

    assert sorted(found.rows.tolist()) == sorted(expected)
    for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
        assert np.isclose(score, expected[row], rtol=1e-4)


def test_keep_takes_what_the_mask_marks() -> None:
    candidates = ranked({5: 3.0, 2: 2.0, 9: 1.0})

    assert candidates.keep(np.array([True, False, True])).rows.tolist() == [5, 9]
    assert candidates.keep(np.ones(3, np.bool_)) is candidates
    assert len(NOTHING_RANKED) == 0
