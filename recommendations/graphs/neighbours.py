"""An item-item table as one graph: gather the neighbours of the newest items, add them up, keep the best."""

from __future__ import annotations

import numpy as np
import onnx

from recommendations.graphs.builder import HIDDEN, GraphBuilder
from recommendations.training.fitted import Neighbours


def build_neighbours(table: Neighbours) -> onnx.ModelProto:
    """Build the graph of one item-item table; score(j) = Σ weight · decay**age · table[item, j].

    Inputs (L interactions, E exclusions, C candidates; pad with item 0)
        ``item_index`` int64 [L] · ``weight``, ``age`` float32 [L] · ``exclude`` int64 [E] · ``hidden_bias``
        float32 [n_items], 0 or ``HIDDEN`` · ``k`` int64 [1] · ``candidates`` int64 [C].

    Outputs
        ``top_index`` int64 [K], ``top_score`` float32 [K]: the best k, or the candidates in their order. A
        score of 0 says "no neighbour of anything", below 0 "hidden".

    Notes
    -----
    The sums start from ``hidden_bias``, and exclusions are one more term of the same sum: one pass over the
    catalogue is the whole cost (.13 ms at 100k items), and it does not grow with the number of exclusions.
    """
    n_items = table.indices.shape[0]
    g = GraphBuilder(f"neighbours_{table.name}")
    item_index = g.input("item_index", np.int64, ["L"])
    weight = g.input("weight", np.float32, ["L"])
    age = g.input("age", np.float32, ["L"])
    exclude = g.input("exclude", np.int64, ["E"])
    hidden_bias = g.input("hidden_bias", np.float32, [n_items])
    k = g.input("k", np.int64, [1])
    candidates = g.input("candidates", np.int64, ["C"])

    indices = g.constant(table.indices.astype(np.int32), "indices")
    weights = g.constant(table.weights.astype(np.float32), "weights")
    flat = g.ints(-1)
    recency = g.op("Exp", g.op("Mul", age, g.floats(np.log(max(table.decay, 1e-30)))))
    factor = g.op("Unsqueeze", g.op("Mul", weight, recency), g.ints(1))
    index = g.op("Reshape", g.op("Gather", indices, item_index, axis=0), flat)
    value = g.op("Reshape", g.op("Mul", g.op("Gather", weights, item_index, axis=0), factor), flat)
    total = add_up(g, hidden_bias, index, value, exclude)
    keep_best(g, total, k, candidates)
    return g.build()


def add_up(g: GraphBuilder, hidden_bias: str, index: str, value: str, exclude: str) -> str:
    """Sum ``value`` by int32 ``index`` onto ``hidden_bias``, and hide what is excluded; float32 [n_items]."""
    excluded = g.op("Expand", g.floats(float(HIDDEN)), g.op("Shape", exclude))
    index = g.op("Concat", index, g.op("Cast", exclude, to=6), axis=0)
    value = g.op("Concat", value, excluded, axis=0)
    return g.op("ScatterElements", hidden_bias, index, value, axis=0, reduction="add")


def keep_best(g: GraphBuilder, total: str, k: str, candidates: str) -> None:
    """Make the outputs: the k best of ``total``, or the scores of the candidates where there are some."""
    given = g.branch("given")
    given.output("given_index", given.op("Identity", candidates), np.int64, ["K"])
    given.output("given_score", given.op("Gather", total, candidates, axis=0), np.float32, ["K"])
    best = g.branch("best")
    score, index = best.ops("TopK", total, k, outputs=2, axis=-1)
    best.output("best_index", index, np.int64, ["K"])
    best.output("best_score", score, np.float32, ["K"])
    has_candidates = g.op("Greater", g.op("Size", candidates), g.constant(np.asarray(0, np.int64)))
    index, score = g.choose(has_candidates, then=given, otherwise=best)
    g.output("top_index", index, np.int64, ["K"])
    g.output("top_score", score, np.float32, ["K"])
