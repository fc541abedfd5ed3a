"""Whether a GPU's half-precision scores are the CPU's: asked once as a version is loaded, before it answers anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.inference.batching import BatchedScorer, DenseRequest
from recommendations.inference.queries import HIDDEN, RetrievalQuery, history_of
from recommendations.inference.runtime import GraphSession

LEAST_PARITY: Final = 0.99
"""Share of scores that must agree. Not 1: a coarse score in half precision may lose an item at the edge of a list."""

RELATIVE_TOLERANCE: Final = 2e-3
"""Of the best score of a list; the same as that of the golden check."""

_COMPARED: Final = 20


def parity_of(
    scorer: BatchedScorer, session: GraphSession, histories: Sequence[NDArray[np.int64]], *, n_items: int, last_n: int
) -> float:
    """Return the share of the best scores that the device gives as the CPU's graph does.

    Parameters
    ----------
    scorer, session
        The device and the CPU's graph of the same factors.
    histories : sequence of int64 arrays
        Item indices, oldest first; those without an interaction that counts are left out.

    Raises
    ------
    ModelUnavailable
        The device or the CPU failed.
    """
    bias = np.full(int(session.input_shapes["item_bias"][0]), HIDDEN, np.float32)
    bias[1:n_items] = 0.0
    k = min(_COMPARED, n_items, scorer.n_answers)
    agreeing: list[NDArray[np.bool_]] = []
    for items in histories:
        history = history_of(RetrievalQuery(indices=items), n_items=n_items)
        if history is None:
            continue
        history = history.newest(last_n)
        _, expected = session.run(
            {
                "item_index": history.indices[None],
                "weight": history.weight[None],
                "age": history.age[None],
                "is_last": history.is_last[None],
                "exclude": np.zeros((1, 1), np.int64),
                "item_bias": bias,
                "k": np.array([k], np.int64),
                "candidates": np.empty(0, np.int64),
            }
        )
        _, given = scorer.score(DenseRequest(history=history, item_bias=bias, exclude=np.empty(0, np.int64)))
        tolerance = RELATIVE_TOLERANCE * float(np.abs(expected[0]).max())
        # A NaN is close to nothing, so a device that computes nonsense agrees with nothing.
        agreeing.append(np.isclose(given[:k], expected[0][:k], rtol=0.0, atol=tolerance))
    return float(np.concatenate(agreeing).mean()) if agreeing else 1.0
