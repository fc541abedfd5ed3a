"""VSTAN session kNN as one graph: from the newest items to sessions like this one, and on to their items.

The formula is in ``training.fitted.SessionIndex``. Two things are turned for speed or for ties: sessions are
stored newest first, so that equal similarities keep the newer session (TopK prefers the lower row), and the
decay of an item's position is scattered instead of the position, so that no exponential is taken per
neighbour.

References
----------
Ludewig, Mauro, Latifi & Jannach, "Empirical analysis of session-based recommendation algorithms", UMUAI 2020.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from recommendations.graphs.builder import GraphBuilder
from recommendations.graphs.neighbours import add_up, keep_best
from recommendations.graphs.ragged import blocks_of, narrow, ragged_rows
from recommendations.graphs.selection import padded_rows
from recommendations.graphs.touched import best, summed
from recommendations.training.fitted import SessionIndex


def build_session_knn(sessions: SessionIndex) -> onnx.ModelProto:
    """Build the session-kNN graph.

    Inputs are those of ``build_neighbours`` without ``position``, outputs those of one table, with ``is_last`` float32
    [L] besides: 1 on the last occurrence of an item in the session, the only one that counts here. ``age`` is the
    number of interactions since; interactions of weight 0 are not there at all.
    """
    n_rows = padded_rows(sessions.postings.shape[0])
    n_sessions = sessions.session_items.shape[0]
    g = GraphBuilder("session_knn")
    item_index = g.input("item_index", np.int64, ["L"])
    weight = g.input("weight", np.float32, ["L"])
    age = g.input("age", np.float32, ["L"])
    is_last = g.input("is_last", np.float32, ["L"])
    exclude = g.input("exclude", np.int64, ["E"])
    hidden_bias = g.input("hidden_bias", np.float32, [n_rows])
    k = g.input("k", np.int64, [1])
    candidates = g.input("candidates", np.int64, ["C"])

    newest_first = _newest_first(n_sessions)
    postings = _renumbered(sessions.postings, n_sessions)
    posting_rows = ragged_rows(g, postings, "posting")
    posting_blocks = g.constant(narrow(blocks_of(postings, postings)), "postings")
    items_of = sessions.session_items[newest_first].astype(np.int32)
    item_rows = ragged_rows(g, items_of, "session")
    item_blocks = g.constant(narrow(blocks_of(items_of, items_of)), "session_items")
    session_weights = g.constant(sessions.session_weights[newest_first].astype(np.float32), "session_weights")
    item_weights = g.constant(sessions.item_weights.astype(np.float32), "item_weights")
    flat, column_axis = g.ints(-1), g.ints(1)

    # 1. Similarity of each past session, and the best of them.
    found = posting_rows.read_numbers(g, posting_blocks, posting_rows.positions(g, item_index))  # [L, m]
    position = g.op("Exp", g.op("Mul", age, g.floats(-1.0 / sessions.position_decay)))
    shared_weight = g.op("Mul", g.op("Mul", weight, is_last), position)
    shared_weight = g.op("Expand", g.op("Unsqueeze", shared_weight, column_axis), g.op("Shape", found))
    one_row = g.ints(1, -1)
    overlap = summed(
        g,
        g.op("Reshape", found, one_row),
        g.op("Reshape", shared_weight, one_row),
        n_rows=n_sessions,
        most_entries=sessions.max_history * posting_rows.n_columns,
    )
    similarity = g.op("Mul", overlap.total, g.lookup(session_weights, overlap.index))
    kept = g.ints(min(sessions.neighbours, n_sessions))
    best_similarity, best_session = best(g, overlap, similarity, kept)
    best_similarity = g.op("Max", g.op("Reshape", best_similarity, flat), g.floats(0.0))
    best_session = g.op("Reshape", best_session, flat)
    items = item_rows.read_numbers(g, item_blocks, item_rows.positions(g, best_session))  # [neighbours, max_length]

    # 2. What each shares with the history: exp((latest - n) / overlap_decay), and the last shared column.
    present = g.op("Cast", g.op("Greater", weight, g.floats(0.0)), to=1)
    freshness = g.op("Mul", present, g.op("Exp", g.op("Mul", age, g.floats(-1.0 / sessions.overlap_decay))))
    history = g.op(
        "ScatterElements",
        g.constant(np.zeros(n_rows, np.float32), "no_items"),
        item_index,
        freshness,
        axis=0,
        reduction="max",
    )
    shared = g.lookup(history, items)
    latest = g.op("ReduceMax", shared, column_axis, keepdims=1)
    columns = g.constant(np.arange(item_rows.n_columns, dtype=np.float32)[None], "columns")
    is_shared = g.op("Greater", shared, g.floats(0.0))
    star = g.op("ReduceMax", g.op("Where", is_shared, columns, g.floats(-1.0)), column_axis, keepdims=1)

    # 3. The items of those sessions, near what is shared.
    distance = g.op("Abs", g.op("Sub", columns, star))
    nearness = g.op("Exp", g.op("Mul", distance, g.floats(-1.0 / sessions.distance_decay)))
    session_score = g.op("Mul", latest, g.op("Unsqueeze", best_similarity, column_axis))
    value = g.op("Mul", g.op("Mul", nearness, session_score), g.lookup(item_weights, items))
    total = add_up(g, hidden_bias, g.op("Reshape", items, flat), g.op("Reshape", value, flat), exclude)
    keep_best(g, total, k, candidates, n_rows=n_rows)
    return g.build()


def _newest_first(n_sessions: int) -> NDArray[np.int64]:
    """Row 0, the padding, then the sessions from the newest to the oldest."""
    return np.concatenate([[0], np.arange(n_sessions - 1, 0, -1)]).astype(np.int64)


def _renumbered(postings: NDArray[np.int32], n_sessions: int) -> NDArray[np.int32]:
    """Postings under the new row numbers; padding stays 0."""
    return np.where(postings > 0, n_sessions - postings, 0).astype(np.int32)
