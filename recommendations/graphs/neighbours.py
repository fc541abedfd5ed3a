"""Item-item tables as one graph: gather the neighbours of the newest items, add them up, keep the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from recommendations.graphs.builder import HIDDEN, GraphBuilder
from recommendations.graphs.ragged import blocks_of, narrow, ragged_rows
from recommendations.graphs.selection import best_of, padded_rows
from recommendations.graphs.touched import best, of_given, summed
from recommendations.training.fitted import Neighbours


def build_neighbours(tables: Sequence[Neighbours]) -> onnx.ModelProto:
    """Build one graph of item-item tables; score(t, j) = Σ weight · decay_t**age · table_t[item, j].

    Inputs (L interactions, E exclusions, C candidates; pad with item 0)
        ``item_index`` int64 [L] · ``weight``, ``age`` float32 [L] · ``place`` float32 [L], 0 for the newest, by which
        each table keeps its ``last_n`` · ``tables`` int64 [T], the numbers of those that are asked · ``exclude`` int64
        [E] · ``hidden_bias`` float32 [n_rows], 0 or ``HIDDEN`` · ``k`` int64 [1] · ``candidates`` int64 [C].

    Outputs
        ``top_index`` int64 [T, K], ``top_score`` float32 [T, K]: the best k of each table · ``given_score`` float32
        [T, C]: the candidates, in their order. A score of 0 says "no neighbour of anything", below 0 "hidden".

    Notes
    -----
    The tables share a graph because most of a short session's time is the overhead of its operators.
    Exclusions are one more term of the same sum. Time and memory grow with the session and the length of the tables'
    rows, not with the catalogue.
    """
    n_items = tables[0].indices.shape[0]
    n_rows = padded_rows(n_items)
    g = GraphBuilder("neighbours")
    item_index = g.input("item_index", np.int64, ["L"])
    weight = g.input("weight", np.float32, ["L"])
    age = g.input("age", np.float32, ["L"])
    from_newest = g.input("place", np.float32, ["L"])
    exclude = g.input("exclude", np.int64, ["E"])
    hidden_bias = g.input("hidden_bias", np.float32, [n_rows])
    k = g.input("k", np.int64, [1])
    candidates = g.input("candidates", np.int64, ["C"])
    chosen = g.input("tables", np.int64, ["T"])

    # Rows of all tables one after the other: row item + t · n_items belongs to table t.
    width = max(table.indices.shape[1] for table in tables)
    stacked = np.concatenate([_widened(table.indices, width) for table in tables])
    stacked_weights = np.concatenate([_widened(table.weights, width) for table in tables])
    rows = ragged_rows(g, stacked, "rows")
    indices = g.constant(narrow(blocks_of(stacked, stacked)), "indices")
    weights = g.constant(blocks_of(stacked_weights, stacked), "weights")

    per_table = (len(tables), 1)

    def of_chosen(values: NDArray[Any]) -> str:
        return g.op("Gather", g.constant(values.reshape(per_table)), chosen, axis=0)

    rates = of_chosen(np.array([np.log(max(t.decay, 1e-30)) for t in tables], np.float32))
    limits = of_chosen(np.array([t.last_n for t in tables], np.float32))
    counts = g.op("Cast", g.op("Less", from_newest, limits), to=1)  # [T, L]
    factor = g.op("Mul", g.op("Mul", weight, counts), g.op("Exp", g.op("Mul", age, rates)))
    first_rows = of_chosen(np.arange(len(tables), dtype=np.int64) * n_items)
    positions = rows.positions(g, g.op("Reshape", g.op("Add", item_index, first_rows), g.ints(-1)))  # [T·L, blocks]
    one_table = g.op("Concat", g.op("Shape", chosen), g.ints(-1), axis=0)
    index = g.op("Reshape", rows.read_numbers(g, indices, positions), one_table)
    value = g.op("Mul", rows.read(g, weights, positions), g.op("Reshape", factor, g.ints(-1, 1)))
    value = g.op("Reshape", value, one_table)

    every_table = g.op("Concat", g.op("Shape", chosen), g.ints(1), axis=0)
    excluded = g.op("Expand", g.op("Cast", exclude, to=6), every_table)
    hidden = g.op("Expand", g.floats(float(HIDDEN)), g.op("Shape", excluded))
    sums = summed(
        g,
        g.op("Concat", index, excluded, axis=1),
        g.op("Concat", value, hidden, axis=1),
        n_rows=n_rows,
    )
    given = g.op("Add", of_given(g, sums, candidates), g.op("Gather", hidden_bias, candidates, axis=0))
    score = g.op("Add", sums.total, g.lookup(hidden_bias, sums.index))
    best_score, best_index = best(g, sums, score, k)
    g.output("top_index", g.op("Cast", best_index, to=7), np.int64, ["T", "K"])
    g.output("top_score", best_score, np.float32, ["T", "K"])
    g.output("given_score", given, np.float32, ["T", "C"])
    return g.build()


def groups_of(tables: Sequence[Neighbours], *, most_bytes: int = 1_500_000_000) -> list[list[Neighbours]]:
    """Share tables out to graphs, in their order, so that each graph fits into one file."""
    groups: list[list[Neighbours]] = []
    held_bytes = 0
    for table in tables:
        size_bytes = 8 * int(np.count_nonzero(table.indices)) + 40 * len(table.indices)
        if not groups or held_bytes + size_bytes > most_bytes:
            groups.append([])
            held_bytes = 0
        groups[-1].append(table)
        held_bytes += size_bytes
    return groups


def _widened(values: NDArray[Any], width: int) -> NDArray[Any]:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])))


def add_up(g: GraphBuilder, hidden_bias: str, index: str, value: str, exclude: str) -> str:
    """Sum ``value`` by int32 ``index`` onto ``hidden_bias``, and hide what is excluded; float32 [n_rows]."""
    excluded = g.op("Expand", g.floats(float(HIDDEN)), g.op("Shape", exclude))
    index = g.op("Concat", index, g.op("Cast", exclude, to=6), axis=0)
    value = g.op("Concat", value, excluded, axis=0)
    return g.op("ScatterElements", hidden_bias, index, value, axis=0, reduction="add")


def keep_best(g: GraphBuilder, total: str, k: str, candidates: str, *, n_rows: int) -> None:
    """Make the outputs: the k best of ``total``, and the scores of the candidates.

    Both are always computed: asked for candidates, k is 1 and costs little, while an ``If`` costs 10 µs a run.
    """
    score, index = best_of(g, total, k, n_scores=n_rows)
    g.output("top_index", index, np.int64, ["K"])
    g.output("top_score", score, np.float32, ["K"])
    g.output("given_score", g.op("Gather", total, candidates, axis=0), np.float32, ["C"])
