"""The greatest entries of each row, with certain ties."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recommendations.training.data.sparse_rows import (
    cut_rows,
    neighbour_matrix,
    row_blocks,
    rows_to_one,
    table_of,
    top_of_rows,
)

ROWS = sparse.csr_matrix(np.array([[0, 0, 0, 0], [0, 2, 5, 2], [0, 0, 0, 0], [7, 1, 1, 1]], np.float32))


def test_the_greatest_entries_come_first_and_ties_go_by_index():
    rows, columns, values = top_of_rows(ROWS, 2, greater_index_wins=False)

    assert list(zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True)) == [
        (1, 2, 5.0),
        (1, 1, 2.0),
        (3, 0, 7.0),
        (3, 1, 1.0),
    ]
    assert top_of_rows(ROWS, 2, greater_index_wins=True)[1].tolist() == [2, 3, 0, 3]


def test_rows_are_cut_to_their_greatest_entries():
    assert cut_rows(ROWS, 2).toarray().tolist() == [[0, 0, 0, 0], [0, 2, 5, 0], [0, 0, 0, 0], [7, 1, 0, 0]]


def test_rows_sum_to_one_and_rows_of_zeros_stay():
    scaled = rows_to_one(ROWS).toarray()

    np.testing.assert_allclose(scaled.sum(axis=1), [0, 1, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(scaled[3], [0.7, 0.1, 0.1, 0.1], rtol=1e-6)


def test_a_table_leaves_out_the_padding_item_and_comes_back_as_a_matrix():
    table = table_of("t", ROWS.copy(), k=2, decay=0.5, last_n=3)

    assert table.indices.tolist() == [[0, 0], [2, 1], [0, 0], [0, 1]]
    assert table.weights.tolist() == [[0, 0], [5, 2], [0, 0], [0, 1]]
    assert neighbour_matrix(table).toarray().tolist() == [[0, 0, 0, 0], [0, 2, 5, 0], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_rows_are_cut_into_runs_that_cost_no_more_than_they_may():
    costs = np.array([9, 1, 1, 1, 5, 0, 2])

    assert list(row_blocks(costs, 3)) == [(0, 1), (1, 4), (4, 5), (5, 7)]
    assert list(row_blocks(costs, 100)) == [(0, 7)]
