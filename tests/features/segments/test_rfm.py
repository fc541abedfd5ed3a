"""Quintiles, scores and segments: exact, and equal for equal values."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.segments import rfm
from features.segments.rfm import Buyers, SegmentRule


def buyers(*rows: tuple[int, int, int]) -> Buyers:
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Buyers(last_purchase_ms=columns[0], orders=columns[1], monetary=columns[2])


def test_five_different_buyers_get_five_different_scores() -> None:
    five = buyers(*((n, n, n) for n in range(5)))
    assert rfm.scores(five, rfm.quintiles(five)).tolist() == [[n, n, n] for n in (1, 2, 3, 4, 5)]


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 3), min_size=1, max_size=60))
def test_scores_grow_with_values_and_equal_values_have_equal_scores(rows: list[tuple[int, int, int]]) -> None:
    some = buyers(*rows)
    scored = rfm.scores(some, rfm.quintiles(some))
    for column, values in enumerate((some.last_purchase_ms, some.orders, some.monetary)):
        by_value = sorted(zip(values.tolist(), scored[:, column].tolist(), strict=True))
        assert all(
            left[1] <= right[1] if left[0] < right[0] else left[1] == right[1]
            for left, right in itertools.pairwise(by_value)
        )
        assert set(scored[:, column].tolist()) <= set(rfm.SCORES)


def test_nobody_bought() -> None:
    assert rfm.quintiles(buyers()).orders == (0, 0, 0, 0)


def test_the_usual_segments_cover_all_scores_but_none_twice() -> None:
    table = rfm.segment_table(rfm.DEFAULT_RULES)
    assert table[(5, 5, 5)] == "champions"
    assert table[(1, 1, 1)] == "hibernating"
    assert table[(5, 1, 1)] == "new"
    assert set(table.values()) <= {rule.name for rule in rfm.DEFAULT_RULES}


def test_the_first_segment_that_fits_counts() -> None:
    table = rfm.segment_table([SegmentRule(name="all"), SegmentRule(name="never")])
    assert set(table.values()) == {"all"}
