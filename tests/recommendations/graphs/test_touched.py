"""Sums over the touched items are those over the whole catalogue, best first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommendations.graphs.builder import GraphBuilder
from recommendations.graphs.touched import best, of_given, summed
from tests.recommendations.graphs.running import loaded


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most_entries", [None, 20_000])
def test_sums_of_what_is_touched_are_those_of_the_whole_catalogue(
    tmp_path: Path, seed: int, most_entries: int | None
) -> None:
    rng = np.random.default_rng(seed)
    n_tables, n_entries, n_rows, k = 3, int(rng.integers(1, 400)), 1_000, 25
    index = rng.integers(0, int(rng.integers(2, n_rows)), (n_tables, n_entries)).astype(np.int32)
    value = (rng.integers(1, 9, index.shape) / 8).astype(np.float32)  # exact sums, many ties
    g = GraphBuilder("touched")
    sums = summed(
        g,
        g.input("index", np.int32, [n_tables, "M"]),
        g.input("value", np.float32, [n_tables, "M"]),
        n_rows=n_rows,
        most_entries=most_entries,
    )
    g.output("given", of_given(g, sums, g.input("candidates", np.int64, ["C"])), np.float32, [n_tables, "C"])
    top_score, top_index = best(g, sums, sums.total, g.ints(k))
    g.output("top_index", top_index, np.int32, [n_tables, "K"])
    g.output("top_score", top_score, np.float32, [n_tables, "K"])

    candidates = rng.permutation(n_rows)[:50]
    given_sums, found, scores = loaded(g.build(), tmp_path).run(
        {"index": index, "value": value, "candidates": candidates}
    )

    for table in range(n_tables):
        total = np.bincount(index[table], weights=value[table], minlength=n_rows)
        order = np.argsort(-total, kind="stable")
        order = order[total[order] > 0][:k]
        assert found[table][: len(order)].tolist() == order.tolist()
        assert scores[table][: len(order)].tolist() == total[order].tolist()
        assert (scores[table][len(order) :] < 0).all()
        assert given_sums[table].tolist() == total[candidates].tolist()
