"""New items: all of them, and those that a user may like although no model knows them yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.core.row_index import is_first
from recommendations.core.types import NO_ROWS, Ranked, RequestUser, RowArray
from recommendations.core.words import gettext_noop
from recommendations.retrieval.base import PER_SOURCE, ServingContext, listed
from recommendations.retrieval.content import alike

FRESH_DAYS: Final = 30.0
FRESH_ITEMS: Final = 20


class NewestSource:
    """What came into the catalogue last."""

    name = "newest"
    label = gettext_noop("newly arrived")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the newest items."""
        return listed(context.item_index.newest[:PER_SOURCE])


class FreshSource:
    """New items like those that the list is about: they appear at once, without a new training.

    The most alike first, where texts have been read; behind them new items of the same categories, the newest first.
    """

    name = "fresh"
    label = gettext_noop("newly arrived, like what the shopper looks at")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return new items, at most ``FRESH_ITEMS``."""
        item_index = context.item_index
        catalogue = item_index.catalogue
        if not len(about):
            return listed(item_index.newest[:0])
        since_ms = context.now_ms - FRESH_DAYS * 86_400_000.0
        like = alike(about, item_index)
        new = (catalogue.first_seen_ms.take(like.rows) >= since_ms).nonzero()[0][:FRESH_ITEMS]
        if len(new) == FRESH_ITEMS:
            return Ranked(rows=like.rows.take(new), scores=like.scores.take(new))
        wanted = set(catalogue.category[about[:10]].tolist()) - {0}
        positions = np.sort(np.concatenate([NO_ROWS, *(item_index.newest_positions(each) for each in wanted)]))
        rows = item_index.newest[positions[:FRESH_ITEMS]]
        rows = np.concatenate([like.rows, rows])
        scores = np.concatenate([like.scores, np.zeros(len(rows) - len(like), np.float32)])
        is_new = catalogue.first_seen_ms[rows] >= since_ms
        rows, scores = rows[is_new], scores[is_new]
        firsts = is_first(rows).nonzero()[0][:FRESH_ITEMS]
        return Ranked(rows=rows.take(firsts), scores=scores.take(firsts))
