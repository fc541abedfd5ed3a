"""The why of each item in a list, in one word: the source that brought it, or who put it there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommendations.core.row_index import places_in
from recommendations.pipeline.fallbacks import Filled
from recommendations.pipeline.retrieve import Found
from recommendations.pipeline.rules import Pin


def of(rows: Sequence[int], found: Found, filled: Filled, pins: Sequence[Pin]) -> tuple[str, ...]:
    """Return for each row what brought it into the list: the source that gave it most, or who put it there."""
    lists = [each for each in found.lists if len(each.rows)]
    said: dict[int, str] = {}
    if lists and rows:
        listed_rows = np.concatenate([each.rows for each in lists])
        hits = places_in(np.asarray(rows, np.int32), listed_rows)[1].nonzero()[0]
        lengths = [len(each.rows) for each in lists]
        ends = np.cumsum(lengths)
        owners = ends.searchsorted(hits, side="right")
        ranks = hits - (ends - lengths).take(owners) + 1
        weights = np.array([found.weights.get(each.name, 0.0) for each in lists], np.float64)
        gains = weights.take(owners) / (found.fusion_k + ranks)
        order = gains.argsort(kind="stable")  # what speaks most is told last; of two, the later source
        names = [each.name for each in lists]
        for row, owner in zip(listed_rows.take(hits).take(order).tolist(), owners.take(order).tolist(), strict=True):
            said[row] = names[owner]
    said.update(filled.reasons)
    said.update((pin.row, "pinned") for pin in pins)
    return tuple(said.get(row, "") for row in rows)
