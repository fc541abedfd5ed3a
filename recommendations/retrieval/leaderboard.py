"""A leaderboard: items by the value of a formula, worked out as catalogue or counts change, while no list waits."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.core.types import NOTHING_RANKED, FloatArray, Ranked, RequestUser, RowArray
from recommendations.filters.formula import Figures, Formula
from recommendations.items.index import ItemIndex
from recommendations.retrieval.base import ServingContext

LISTED: Final = 500
"""How far a leaderboard goes: a placement's condition and rules may leave much of it out."""


def leaders(formula: Formula, item_index: ItemIndex, figures: Figures, *, most: int = LISTED) -> Ranked:
    """Return the rows of the largest values, best first; one of each product, of equal ones the more popular.

    Items that may not be recommended, and those without a finite value, are left out.
    """
    values = formula.values(figures, n_rows=item_index.n_rows)
    with np.errstate(over="ignore"):
        scores: FloatArray = values.astype(np.float32)
    rows: RowArray = np.flatnonzero(item_index.catalogue.is_recommendable & np.isfinite(scores)).astype(np.int32)
    order = np.lexsort((-item_index.popularity[rows], -values[rows]))
    rows = item_index.one_of_each(rows[order])[:most]
    return Ranked(rows=rows, scores=scores[rows]) if len(rows) else NOTHING_RANKED


class Leaders:
    """A site's own list of leaders, as a source."""

    def __init__(self, name: str, label: str, ranked: Ranked) -> None:
        self.name = name
        self.label = label
        self.ranked = ranked

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the leaders, whoever asks."""
        return self.ranked
