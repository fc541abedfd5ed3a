"""Items like the given ones by what they are: category, brand and price. Works for items that nobody saw yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.candidates import NO_ROWS, NO_SCORES, SourceList
from recommendations.retrieval.base import Question

LOOKED_AT: Final = 300
"""Most popular items of the category that are compared; bounds the time for a shop with one huge category."""

ITEMS_ASKED: Final = 3
SAME_BRAND: Final = np.float32(0.5)
PRICE_WEIGHT: Final = np.float32(0.5)
POPULARITY_WEIGHT: Final = np.float32(0.2)


_BY_AGE: Final = np.power(np.float32(0.7), np.arange(ITEMS_ASKED), dtype=np.float32)
_BY_POPULARITY: Final = (POPULARITY_WEIGHT / np.sqrt(np.arange(1, LOOKED_AT + 1))).astype(np.float32)


class ContentSource:
    """Same leaf category, best of all the same brand and a like price."""

    name = "content"

    def retrieve(self, question: Question) -> SourceList:
        """Return items like the newest of those the list is about."""
        shelf = question.shelf
        catalogue = shelf.catalogue
        about = question.about[:ITEMS_ASKED]
        found = [shelf.in_category(category)[:LOOKED_AT] for category in catalogue.category[about].tolist()]
        lengths = [len(rows) for rows in found]
        if not any(lengths):
            return SourceList(name=self.name, rows=NO_ROWS, scores=NO_SCORES)
        rows, origin = np.concatenate(found), np.repeat(about, lengths)  # one pass over the items of all of them
        brand = catalogue.brand[origin]
        distance = np.abs(shelf.log_price[rows] - shelf.log_price[origin])
        scores = np.concatenate([_BY_POPULARITY[:length] for length in lengths])
        scores += np.float32(1.0) + PRICE_WEIGHT / (np.float32(1.0) + distance)
        scores += SAME_BRAND * ((catalogue.brand[rows] == brand) & (brand > 0))
        scores[rows == origin] = 0.0
        scores *= np.repeat(_BY_AGE[: len(about)], lengths)
        if sum(length > 0 for length in lengths) > 1:
            rows, where = np.unique(rows, return_inverse=True)
            scores = np.bincount(where, weights=scores).astype(np.float32)
        order = np.argsort(-scores, kind="stable")[: question.k]
        order = order[scores[order] > 0]
        return SourceList(name=self.name, rows=rows[order], scores=scores[order])
