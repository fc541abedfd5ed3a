"""An item-item table as one graph: gather the neighbours of the newest items, add them up, keep the best."""

from __future__ import annotations

import numpy as np
import onnx

from recommendations.graphs.builder import HIDDEN, GraphBuilder
from recommendations.graphs.ragged import blocks_of, ragged_rows
from recommendations.graphs.selection import best_of, padded_rows
from recommendations.training.fitted import Neighbours


def build_neighbours(table: Neighbours) -> onnx.ModelProto:
    """Build the graph of one item-item table; score(j) = Σ weight · decay**age · table[item, j].

    Inputs (L interactions, E exclusions, C candidates; pad with item 0)
        ``item_index`` int64 [L] · ``weight``, ``age`` float32 [L] · ``exclude`` int64 [E] · ``hidden_bias``
        float32 [n_rows], 0 or ``HIDDEN`` · ``k`` int64 [1] · ``candidates`` int64 [C].

    Outputs
        ``top_index`` int64 [K], ``top_score`` float32 [K]: the best k · ``given_score`` float32 [C]: the candidates,
        in their order. A score of 0 says "no neighbour of anything", below 0 "hidden".

    Notes
    -----
    The sums start from ``hidden_bias``, and exclusions are one more term of the same sum: one pass over the
    catalogue is the whole cost (.13 ms at 100k items), and it does not grow with the number of exclusions.
    """
    n_rows = padded_rows(table.indices.shape[0])
    g = GraphBuilder(f"neighbours_{table.name}")
    item_index = g.input("item_index", np.int64, ["L"])
    weight = g.input("weight", np.float32, ["L"])
    age = g.input("age", np.float32, ["L"])
    exclude = g.input("exclude", np.int64, ["E"])
    hidden_bias = g.input("hidden_bias", np.float32, [n_rows])
    k = g.input("k", np.int64, [1])
    candidates = g.input("candidates", np.int64, ["C"])

    rows = ragged_rows(g, table.indices, "rows")
    indices = g.constant(blocks_of(table.indices, table.indices), "indices")
    weights = g.constant(blocks_of(table.weights, table.indices), "weights")
    flat = g.ints(-1)
    recency = g.op("Exp", g.op("Mul", age, g.floats(np.log(max(table.decay, 1e-30)))))
    factor = g.op("Unsqueeze", g.op("Mul", weight, recency), g.ints(1))
    places = rows.places(g, item_index)
    index = g.op("Reshape", rows.read(g, indices, places), flat)
    value = g.op("Reshape", g.op("Mul", rows.read(g, weights, places), factor), flat)
    total = add_up(g, hidden_bias, index, value, exclude)
    keep_best(g, total, k, candidates, n_rows=n_rows)
    return g.build()


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
