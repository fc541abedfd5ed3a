"""Rows of any length come back as they were stored, and take only the blocks they need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.graphs.builder import GraphBuilder
from recommendations.graphs.ragged import BLOCK, blocks_of, narrow, ragged_rows
from tests.recommendations.graphs.running import loaded


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_rows=st.integers(1, 60), n_columns=st.integers(1, 40))
def test_ragged_rows_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_rows: int, n_columns: int
) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 100, (n_rows, n_columns)).astype(np.int32)
    table[rng.random(table.shape) < 0.3] = 0  # holes stay where they are
    table[np.arange(n_columns)[None] >= rng.integers(0, n_columns + 1, n_rows)[:, None]] = 0
    g = GraphBuilder("ragged")
    rows = g.input("rows", np.int64, ["L"])
    shape = ragged_rows(g, table, "table")
    read = shape.read(g, g.constant(blocks_of(table, table)), shape.positions(g, rows))
    g.output("values", read, np.int32, ["L", "W"])
    session = loaded(g.build(), tmp_path_factory.mktemp("ragged"))
    wanted = rng.integers(0, n_rows, 20)
    (values,) = session.run({"rows": wanted})
    width = min(values.shape[1], n_columns)
    np.testing.assert_array_equal(values[:, :width], table[wanted, :width])
    assert not values[:, width:].any()
    assert not table[wanted, width:].any()


def test_a_row_takes_the_blocks_up_to_its_last_value() -> None:
    table = np.zeros((4, 40), np.int32)
    table[1, 0] = 5
    table[2, BLOCK] = 6  # one beyond the first block
    table[3] = 7
    blocks = blocks_of(table, table)
    assert len(blocks) == 1 + 0 + 1 + 2 + 5
    assert not blocks[0].any(), "block 0 fills rows up"
    assert blocks[1].tolist() == [5, *[0] * (BLOCK - 1)]


@pytest.mark.parametrize(("largest", "stored"), [(0, np.uint16), (65_535, np.uint16), (65_536, np.int32)])
def test_numbers_take_two_bytes_where_all_fit_and_are_read_as_they_were(
    tmp_path: Path, largest: int, stored: type
) -> None:
    table = np.array([[1, 2, largest], [largest, 0, 0]], np.int32)
    g = GraphBuilder("ragged")
    rows = g.input("rows", np.int64, ["L"])
    shape = ragged_rows(g, table, "table")
    blocks = narrow(blocks_of(table, table))
    assert blocks.dtype == stored
    read = shape.read_numbers(g, g.constant(blocks), shape.positions(g, rows))
    g.output("values", read, np.int32, ["L", "W"])
    (values,) = loaded(g.build(), tmp_path).run({"rows": np.array([0, 1])})
    assert values.dtype == np.int32
    np.testing.assert_array_equal(values[:, :3], table)
