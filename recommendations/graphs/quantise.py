"""Eight-bit rows for ``MatMulNBits``: a quarter of the bytes to read, and reading is what scoring costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 8
_OFFSET = 128  # the operator takes unsigned codes whose zero point is 128
_SMALLEST_BLOCK = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisedRows:
    """Rows as codes and one scale a block, in the layout of ``com.microsoft.MatMulNBits``.

    Attributes
    ----------
    codes : uint8, shape (n_rows, n_blocks, block)
    scales : float32, shape (n_rows, n_blocks)
    columns : int
        Columns that count; the last block may be filled up with zeros.
    block : int
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    columns: int
    block: int


def block_size(columns: int) -> int:
    """Return the largest power of two, 16 to 128, that wastes no column if any does not."""
    for block in (128, 64, 32):
        if columns % block == 0:
            return block
    return _SMALLEST_BLOCK if columns <= _SMALLEST_BLOCK else 32


def quantise_rows(matrix: NDArray[np.float32]) -> QuantisedRows:
    """Round each block of each row to 8 bits, symmetric about zero; the largest error is half a scale.

    Parameters
    ----------
    matrix : float32, shape (n_rows, n_columns)
    """
    n_rows, columns = matrix.shape
    block = block_size(columns)
    n_blocks = -(-columns // block)
    padded = np.zeros((n_rows, n_blocks * block), np.float32)
    padded[:, :columns] = matrix
    blocks = padded.reshape(n_rows, n_blocks, block)
    scales = np.abs(blocks).max(axis=2) / (_OFFSET - 1)
    scales[scales == 0] = 1
    codes = np.rint(blocks / scales[:, :, None]) + _OFFSET
    return QuantisedRows(codes=codes.astype(np.uint8), scales=scales.astype(np.float32), columns=columns, block=block)
