"""Rows of few bits are off by half a step at most, and large tables get fewer bits."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.graphs.quantise import bits_for, block_size, quantise_rows


@pytest.mark.parametrize(
    ("columns", "block"), [(8, 16), (16, 16), (48, 32), (64, 64), (100, 32), (128, 128), (200, 32)]
)
@pytest.mark.parametrize("bits", [8, 4])
def test_quantised_rows_are_off_by_half_a_step_at_most(columns: int, block: int, bits: int) -> None:
    assert block_size(columns) == block
    matrix = np.random.default_rng(0).standard_normal((50, columns)).astype(np.float32)
    matrix[3] = 0
    rows = quantise_rows(matrix, bits=bits)
    codes = rows.codes
    if bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(*rows.scales.shape, block)
    restored = (codes.astype(np.float32) - (1 << (bits - 1))) * rows.scales[:, :, None]
    error = np.abs(restored.reshape(50, -1)[:, :columns] - matrix)
    assert np.all(error <= 0.5001 * np.repeat(rows.scales, block, axis=1)[:, :columns])


def test_only_tables_larger_than_the_caches_get_four_bits() -> None:
    row = np.zeros((1, 64), np.float32)
    assert bits_for(np.broadcast_to(row, (1_000_000, 64))) == 8
    assert bits_for(np.broadcast_to(row, (1_048_576, 64))) == 4
