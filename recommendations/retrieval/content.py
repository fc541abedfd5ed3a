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


_BY_POPULARITY: Final = (POPULARITY_WEIGHT / np.sqrt(np.arange(1, LOOKED_AT + 1))).astype(np.float32)


class ContentSource:
    """Same leaf category, best of all the same brand and a like price."""

    name = "content"

    def retrieve(self, question: Question) -> SourceList:
        """Return items like the newest of those the list is about."""
        shelf = question.shelf
        catalogue = shelf.catalogue
        found, weights = [], []
        for age, row in enumerate(question.about[:ITEMS_ASKED].tolist()):
            rows = shelf.in_category(int(catalogue.category[row]))[:LOOKED_AT]
            if not len(rows):
                continue
            score = np.ones(len(rows), np.float32)
            if catalogue.brand[row]:
                score += SAME_BRAND * (catalogue.brand[rows] == catalogue.brand[row])
            distance = np.abs(shelf.log_price[rows] - shelf.log_price[row])
            score += PRICE_WEIGHT / (np.float32(1.0) + distance)
            score += _BY_POPULARITY[: len(rows)]
            score[rows == row] = 0.0
            found.append(rows)
            weights.append(score * np.float32(0.7**age))
        if not found:
            return SourceList(name=self.name, rows=NO_ROWS, scores=NO_SCORES)
        rows, scores = (found[0], weights[0]) if len(found) == 1 else _summed(found, weights)
        order = np.argsort(-scores, kind="stable")[: question.k]
        order = order[scores[order] > 0]
        return SourceList(name=self.name, rows=rows[order], scores=scores[order].astype(np.float32))


def _summed(found: list[np.ndarray], weights: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rows, where = np.unique(np.concatenate(found), return_inverse=True)
    return rows, np.bincount(where, weights=np.concatenate(weights)).astype(np.float32)
