"""The best by groups are the best, ties included."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.graphs.builder import GraphBuilder
from recommendations.graphs.selection import GROUP, best_of, padded_rows
from recommendations.inference.runtime import GraphSession
from tests.recommendations.graphs.running import loaded


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 1_200), n_groups=st.integers(512, 600), levels=st.integers(1, 40))
def test_the_best_by_groups_are_the_best_with_the_same_ties(seed: int, k: int, n_groups: int, levels: int) -> None:
    """Few distinct values, so that nearly everything is a tie."""
    n_scores = n_groups * GROUP
    values = np.random.default_rng(seed).integers(0, levels, (2, n_scores)).astype(np.float32)
    index, score = _grouped(n_scores).run({"values": values, "k": np.array([k], np.int64)})
    expected = np.argsort(-values, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_array_equal(score, np.take_along_axis(values, expected, axis=1))


_SESSIONS: dict[int, GraphSession] = {}


def _grouped(n_scores: int) -> GraphSession:
    if n_scores not in _SESSIONS:
        g = GraphBuilder("grouped")
        values = g.input("values", np.float32, ["B", n_scores])
        score, index = best_of(g, values, g.input("k", np.int64, [1]), n_scores=n_scores)
        g.output("index", index, np.int64, ["B", "K"])
        g.output("score", score, np.float32, ["B", "K"])
        with tempfile.TemporaryDirectory() as folder:
            _SESSIONS[n_scores] = loaded(g.build(), Path(folder))
    return _SESSIONS[n_scores]


def test_large_tables_are_filled_up_to_whole_groups_and_small_ones_stay() -> None:
    assert padded_rows(16_385) == 16_416
    assert padded_rows(16_416) == 16_416
    assert padded_rows(1_001) == 1_001
