"""What everybody looks at, over all time and in a window."""

from __future__ import annotations

import numpy as np

from recommendations.core.types import NO_ROWS, RequestUser
from recommendations.items.index import ItemIndex
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.popular import PopularSource, TrendingSource
from tests.recommendations.worlds import NOW_MS, catalogue, item_index

NOBODY = RequestUser()


def test_popular_items_come_by_popularity() -> None:
    on = item_index({}, {"stock": 0}, {}, {}, popular={"sku3": 9.0, "sku1": 8.0, "sku0": 7.0})
    context = ServingContext(item_index=on, model=None, now_ms=NOW_MS)

    assert PopularSource().retrieve(NO_ROWS, NOBODY, context, window="24h").rows.tolist() == [3, 0, 2]


def test_trending_items_come_by_the_counts_of_their_window() -> None:
    counts = {"1h": np.array([0, 5, 9], np.float32), "24h": np.array([3, 0, 1], np.float32)}
    context = ServingContext(
        item_index=ItemIndex(catalogue(n=3), counts=counts, now_ms=NOW_MS), model=None, now_ms=NOW_MS
    )

    assert TrendingSource().retrieve(NO_ROWS, NOBODY, context, window="1h").rows.tolist() == [2, 1]
    assert TrendingSource().retrieve(NO_ROWS, NOBODY, context, window="24h").rows.tolist() == [0, 2]
    assert TrendingSource().retrieve(NO_ROWS, NOBODY, context, window="7d").rows.tolist() == []
