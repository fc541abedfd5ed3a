"""Graphs written by the builder run, branch, and are refused where one file cannot hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommendations.exceptions import ExportFailed
from recommendations.graphs import builder
from recommendations.graphs.builder import HIDDEN, IS_HIDDEN, GraphBuilder
from tests.recommendations.graphs.running import loaded


def test_lookup_reads_one_value_for_each_entry_of_an_index_of_any_shape(tmp_path: Path) -> None:
    g = GraphBuilder("lookup")
    index = g.input("index", np.int64, ["A", "B"])
    g.output("found", g.lookup(g.floats(10.0, 11.0, 12.0), index), np.float32, ["A", "B"])

    (found,) = loaded(g.build(), tmp_path).run({"index": np.array([[2, 0], [1, 1], [0, 2]])})

    assert found.tolist() == [[12.0, 10.0], [11.0, 11.0], [10.0, 12.0]]


def test_choose_runs_the_branch_of_the_condition_which_sees_the_values_of_its_parent(tmp_path: Path) -> None:
    g = GraphBuilder("choice")
    value, twice = g.input("value", np.float32, ["N"]), g.input("twice", np.bool_, [])
    doubled, kept = g.branch("doubled"), g.branch("kept")
    doubled.output("doubled", doubled.op("Mul", value, doubled.floats(2.0)), np.float32, ["N"])
    kept.output("kept", kept.op("Identity", value), np.float32, ["N"])
    (chosen,) = g.choose(twice, then=doubled, otherwise=kept)
    g.output("chosen", chosen, np.float32, ["N"])
    session = loaded(g.build(), tmp_path)

    values = np.array([1.0, 3.0], np.float32)

    assert session.run({"value": values, "twice": np.array(True)})[0].tolist() == [2.0, 6.0]
    assert session.run({"value": values, "twice": np.array(False)})[0].tolist() == [1.0, 3.0]


def test_a_graph_too_large_for_one_file_says_how_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MAX_GRAPH_BYTES", 1_000)
    g = GraphBuilder("wide")
    g.constant(np.zeros(250, np.float32))
    g.build()  # exactly the limit
    g.ints(1)
    with pytest.raises(ExportFailed, match=r"'wide' holds 1,008 bytes of arrays, more than the 1,000"):
        g.build()


def test_an_item_that_is_hidden_twice_still_has_a_finite_score() -> None:
    twice = HIDDEN + HIDDEN
    assert np.isfinite(twice)
    assert twice < HIDDEN + np.float32(1e6) < IS_HIDDEN
