"""Items like the given ones by what they are: category, brand and price. Works for items that nobody saw yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.core.types import NOTHING_RANKED, Ranked, RequestUser, RowArray, summed_by_row
from recommendations.retrieval.base import PER_SOURCE, ServingContext

LOOKED_AT: Final = 300
"""Most popular items of the category that are compared; bounds the time for a shop with one huge category."""

ITEMS_COMPARED: Final = 3
SAME_BRAND: Final = np.float32(0.5)
PRICE_WEIGHT: Final = np.float32(0.5)
POPULARITY_WEIGHT: Final = np.float32(0.2)


_BY_AGE: Final = np.power(np.float32(0.7), np.arange(ITEMS_COMPARED), dtype=np.float32)
_BY_POPULARITY: Final = (POPULARITY_WEIGHT / np.sqrt(np.arange(1, LOOKED_AT + 1))).astype(np.float32)


class ContentSource:
    """Same leaf category, best of all the same brand and a like price."""

    name = "content"
    label = "similar in category, brand and price"

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return items like the newest of those the list is about."""
        item_index = context.item_index
        catalogue = item_index.catalogue
        about = about[:ITEMS_COMPARED]
        parts = [item_index.in_category(category) for category in catalogue.category[about].tolist()]
        parts = [slice(part.start, min(part.stop, part.start + LOOKED_AT)) for part in parts]
        lengths = [part.stop - part.start for part in parts]
        if not any(lengths):
            return NOTHING_RANKED
        # One pass over the items of all of them.
        origin = np.arange(len(about)).repeat(lengths)
        rows = np.concatenate([item_index.by_category[part] for part in parts])
        distance = np.concatenate([item_index.log_price_by_category[part] for part in parts])
        distance -= item_index.log_price[about][origin]
        np.abs(distance, out=distance)
        brand = catalogue.brand[about][origin]
        is_same_brand = np.concatenate([item_index.brand_by_category[part] for part in parts]) == brand
        scores = np.concatenate([_BY_POPULARITY[:length] for length in lengths])
        scores += np.float32(1.0) + PRICE_WEIGHT / (np.float32(1.0) + distance)
        scores += SAME_BRAND * (is_same_brand & (brand > 0))
        scores[rows == about[origin]] = 0.0
        scores *= _BY_AGE[origin]
        if sum(length > 0 for length in lengths) > 1:
            best = summed_by_row(rows, scores).best_first()
            rows, scores = best.rows[:PER_SOURCE], best.scores[:PER_SOURCE]
        else:
            order = np.argsort(-scores, kind="stable")[:PER_SOURCE]
            rows, scores = rows.take(order), scores.take(order)
        count = int(np.count_nonzero(scores > 0))
        return Ranked(rows=rows[:count], scores=scores[:count])
