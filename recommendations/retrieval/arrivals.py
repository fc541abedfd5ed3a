"""New items: all of them, and those that a shopper may like although no model knows them yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.candidates import SourceList
from recommendations.retrieval.base import Question, listed

FRESH_DAYS: Final = 30.0
FRESH_ITEMS: Final = 20
LOOKED_AT: Final = 500


class NewestSource:
    """What came into the catalogue last."""

    name = "newest"

    def retrieve(self, question: Question) -> SourceList:
        """Return the newest items."""
        return listed(self.name, question.shelf.newest[: question.k])


class FreshSource:
    """New items of the categories that the list is about: they appear at once, without a new training."""

    name = "fresh"

    def retrieve(self, question: Question) -> SourceList:
        """Return new items of the same categories, newest first."""
        catalogue = question.shelf.catalogue
        if not len(question.about):
            return listed(self.name, question.shelf.newest[:0])
        newest = question.shelf.newest[:LOOKED_AT]
        since_ms = question.now_ms - FRESH_DAYS * 86_400_000.0
        fresh = newest[: int(np.searchsorted(-catalogue.first_seen_ms[newest], -since_ms, side="right"))]
        wanted = set(catalogue.category[question.about[:10]].tolist()) - {0}
        meant = [place for place, category in enumerate(catalogue.category[fresh].tolist()) if category in wanted]
        return listed(self.name, fresh[meant[:FRESH_ITEMS]])
