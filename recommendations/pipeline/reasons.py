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
    votes = state.votes
    said: dict[int, str] = {}
    if len(votes.rows) and rows:
        hits = positions_in(np.fromiter(wanted, np.int32), votes.rows)[1].nonzero()[0]
        order = hits.take(
            votes.gains.take(hits).argsort(kind="stable")
        )  # the largest is last; of two, the later source
        owners = votes.ends.searchsorted(order, side="right")
        for row, owner in zip(votes.rows.take(order).tolist(), owners.tolist(), strict=True):
            said[row] = votes.names[owner]
    said.update(state.filled)
    said.update((pin.row, Reason.PINNED.value) for pin in state.pins)
    if not state.stands_for:
        return tuple(said.get(row, "") for row in rows)
    return tuple(next((said[origin] for origin in state.origins(row) if origin in said), "") for row in rows)
