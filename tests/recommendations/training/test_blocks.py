"""What is done in pieces to bound memory gives what it gives at once."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.training.data import sparse_rows
from recommendations.training.fit import neighbours, walk


def assert_same(one, other):
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-5)


@pytest.mark.parametrize("fit", [neighbours.fit_covisitation, neighbours.fit_next, walk.fit_walk])
def test_tables_in_blocks_are_the_tables(fit, aisles, monkeypatch):
    whole = fit(aisles, k=10)
    monkeypatch.setattr(neighbours, "MAX_PAIRS", 500.0)
    monkeypatch.setattr(walk, "MAX_PRODUCTS", 300.0)
    monkeypatch.setattr(walk, "BLOCK_ROWS", 7)
    monkeypatch.setattr(sparse_rows, "BLOCK_ROWS", 5)

    assert_same(whole, fit(aisles, k=10))
