"""What a condition matches, asked of some rows: the same as its mask, whatever the rows and the condition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.filters.language import Comparison, Condition, parse
from recommendations.filters.masks import mask_of
from recommendations.filters.targets import Targets, whole_of
from tests.recommendations.filters.naive import Table, conditions, matches, tables
from tests.recommendations.worlds import item_index


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(conditions(), tables(), st.lists(st.integers(0, 50), max_size=12))
def test_rows_match_as_one_by_one(condition: Condition, table: Table, wanted: list[int]) -> None:
    rows = np.array([row % table.n_rows for row in wanted], np.int32)
    found = Targets(condition, table)

    assert found.take(rows).tolist() == [matches(condition, table, row) for row in rows.tolist()]
    assert np.array_equal(whole_of(found), mask_of(condition, table))


def test_many_ids_are_kept_as_bits_and_few_as_numbers_and_both_find_them() -> None:
    on = item_index(n=400)
    few = Targets(Comparison("item_id", "in", ("sku3", "sku399")), on)
    many = Targets(Comparison("item_id", "in", tuple(f"sku{n}" for n in range(0, 400, 3))), on)
    rows = np.arange(400, dtype=np.int32)

    assert np.flatnonzero(few.take(rows)).tolist() == [3, 399]
    assert np.flatnonzero(many.take(rows)).tolist() == list(range(0, 400, 3))
    assert few.n_bytes < 100
    assert many.n_bytes <= 64 + 50  # 400 bits


def test_what_compares_with_a_page_that_is_not_known_matches_nothing() -> None:
    on = item_index(n=3)
    condition = parse("price < page.price", allows_page=True)

    assert not Targets(condition, on).take([0, 1, 2]).any()
    assert not mask_of(condition, on).any()
