"""From the lists of many sources to one score a candidate: weighted reciprocal ranks, then the ranker's order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from recommendations.core.row_index import positions_in
from recommendations.core.types import NOTHING_RANKED, FloatArray, Ranked, RowArray, summed_by_row

_LONGEST: Final = 2_000
_RANKS: Final = np.arange(1, _LONGEST + 1, dtype=np.float32)


def fused(candidates: Mapping[str, Ranked], weights: Mapping[str, float], *, k: float) -> Ranked:
    """Return score(row) = Σ over the sources that list it of ``weight / (k + rank)``, best first.

    The same formula as ``ranking.rrf.fuse``, for one user and with rows of the catalogue in place of item indices.
    """
    used = [(weights[name], each.rows) for name, each in candidates.items() if weights.get(name, 0.0) > 0 and len(each)]
    if not used:
        return NOTHING_RANKED
    gains = [_gains(weight, k)[: len(rows)] for weight, rows in used]
    return summed_by_row(np.concatenate([rows for _, rows in used]), np.concatenate(gains)).best_first()


@lru_cache(maxsize=256)
def _gains(weight: float, k: float) -> FloatArray:
    """Return what each rank of a source adds; computed once for the weights of a model version."""
    gains: FloatArray = np.float32(weight) / (np.float32(k) + _RANKS)
    gains.setflags(write=False)
    return gains


def reordered(ranked: Ranked, order: RowArray) -> Ranked:
    """Give the rows that a ranker ordered the positions and scores which they hold together.

    Rows that the ranker does not know (items newer than its training) keep their position among them. So scores stay
    positive and comparable, which rules and diversity rely on.

    Parameters
    ----------
    ranked : Ranked
        Best first.
    order : int32 rows
        Best first; those that are not in ``ranked`` are left out.
    """
    if not len(ranked) or not len(order):
        return ranked
    positions, is_ranked = positions_in(ranked.rows, order)
    held = positions[is_ranked]
    held.sort()
    rows = ranked.rows.copy()
    rows[held] = order[is_ranked]
    return Ranked(rows=rows, scores=ranked.scores)


def moved_up(ranked: Ranked, positions: Mapping[int, int]) -> Ranked:
    """Move rows up to the positions that they are given; scores stay with the positions. None is moved down.

    Parameters
    ----------
    ranked : Ranked
        Best first.
    positions : mapping of row to position
        Rows that are not in ``ranked`` are left out.
    """
    rows: list[int] = ranked.rows.tolist()
    for row, position in sorted(positions.items(), key=lambda pair: pair[1]):
        if row in rows and rows.index(row) > position:
            rows.remove(row)
            rows.insert(position, row)
    return Ranked(rows=np.asarray(rows, np.int32), scores=ranked.scores)
