"""The reason of each item in a list, in one word: the source that brought it, or who put it there."""

from __future__ import annotations

import numpy as np

from recommendations.core.row_index import positions_in
from recommendations.pipeline.state import PipelineState
from recommendations.retrieval.sources import Reason


def of(state: PipelineState) -> tuple[str, ...]:
    """Return for each row the source that contributed most to its score, or the ``Reason`` why it is there."""
    rows = state.rows
    wanted = {origin for row in rows for origin in state.origins(row)} if state.stands_for else rows
    lists = [(name, each.rows) for name, each in state.candidates.items() if len(each)]
    said: dict[int, str] = {}
    if lists and rows:
        listed_rows = np.concatenate([each for _, each in lists])
        hits = positions_in(np.fromiter(wanted, np.int32), listed_rows)[1].nonzero()[0]
        lengths = [len(each) for _, each in lists]
        ends = np.cumsum(lengths)
        owners = ends.searchsorted(hits, side="right")
        ranks = hits - (ends - lengths).take(owners) + 1
        weights = np.array([state.weights.get(name, 0.0) for name, _ in lists], np.float64)
        gains = weights.take(owners) / (state.fusion_k + ranks)
        order = gains.argsort(kind="stable")  # the largest gain is written last; of two, the later source
        names = [name for name, _ in lists]
        for row, owner in zip(listed_rows.take(hits).take(order).tolist(), owners.take(order).tolist(), strict=True):
            said[row] = names[owner]
    said.update(state.filled)
    said.update((pin.row, Reason.PINNED.value) for pin in state.pins)
    if not state.stands_for:
        return tuple(said.get(row, "") for row in rows)
    return tuple(next((said[origin] for origin in state.origins(row) if origin in said), "") for row in rows)
