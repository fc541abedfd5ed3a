"""New items: all of them, and those that a user may like although no model knows them yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.core.types import NO_ROWS, Ranked, RequestUser, RowArray
from recommendations.retrieval.base import PER_SOURCE, ServingContext, listed

FRESH_DAYS: Final = 30.0
FRESH_ITEMS: Final = 20


class NewestSource:
    """What came into the catalogue last."""

    name = "newest"
    label = "newly arrived"

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the newest items."""
        return listed(context.item_index.newest[:PER_SOURCE])


class FreshSource:
    """New items of the categories that the list is about: they appear at once, without a new training."""

    name = "fresh"
    label = "newly arrived, in a category that the shopper looks at"

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return new items of the same categories, newest first."""
        item_index = context.item_index
        catalogue = item_index.catalogue
        if not len(about):
            return listed(item_index.newest[:0])
        since_ms = context.now_ms - FRESH_DAYS * 86_400_000.0
        wanted = set(catalogue.category[about[:10]].tolist()) - {0}
        positions = np.sort(np.concatenate([NO_ROWS, *(item_index.newest_positions(each) for each in wanted)]))
        rows = item_index.newest[positions[:FRESH_ITEMS]]
        return listed(rows[catalogue.first_seen_ms[rows] >= since_ms])
