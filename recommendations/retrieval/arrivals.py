"""New items: all of them, and those that a shopper may like although no model knows them yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.core.types import NO_ROWS, SourceList
from recommendations.retrieval.base import Question, listed

FRESH_DAYS: Final = 30.0
FRESH_ITEMS: Final = 20


class NewestSource:
    """What came into the catalogue last."""

    name = "newest"

    def retrieve(self, question: Question) -> SourceList:
        """Return the newest items."""
        return listed(self.name, question.item_index.newest[: question.k])


class FreshSource:
    """New items of the categories that the list is about: they appear at once, without a new training."""

    name = "fresh"

    def retrieve(self, question: Question) -> SourceList:
        """Return new items of the same categories, newest first."""
        catalogue = question.item_index.catalogue
        if not len(question.about):
            return listed(self.name, question.item_index.newest[:0])
        since_ms = question.now_ms - FRESH_DAYS * 86_400_000.0
        wanted = set(catalogue.category[question.about[:10]].tolist()) - {0}
        rows = np.sort(np.concatenate([NO_ROWS, *(question.item_index.newest_places(each) for each in wanted)]))
        rows = question.item_index.newest[rows[:FRESH_ITEMS]]
        return listed(self.name, rows[catalogue.first_seen_ms[rows] >= since_ms])
