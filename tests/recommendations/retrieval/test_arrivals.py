"""New items: all of them, and those of the categories that a list is about."""

from __future__ import annotations

import numpy as np

from recommendations.core.types import NO_ROWS, RequestUser
from recommendations.retrieval.arrivals import FRESH_ITEMS, FreshSource, NewestSource
from recommendations.retrieval.base import ServingContext
from tests.recommendations.worlds import DAY_US, NOW_MS, item_index

DAY = {"first_seen_us": NOW_MS * 1000 - DAY_US}
ON = item_index({"category": "Shoes"}, {"category": "Shoes", **DAY}, {"category": "Hats", **DAY}, {})
CONTEXT = ServingContext(item_index=ON, model=None, now_ms=NOW_MS)
NOBODY = RequestUser()


def test_the_newest_item_comes_first() -> None:
    assert NewestSource().retrieve(NO_ROWS, NOBODY, CONTEXT, window="24h").rows.tolist() == [1, 2, 0, 3]


def test_only_new_items_of_the_same_category_are_fresh() -> None:
    about = np.array([0], np.int32)

    assert FreshSource().retrieve(about, NOBODY, CONTEXT, window="24h").rows.tolist() == [1]
    assert FreshSource().retrieve(NO_ROWS, NOBODY, CONTEXT, window="24h").rows.tolist() == []


def test_a_crowd_of_new_items_is_cut() -> None:
    on = item_index(*[{"category": "Shoes", **DAY} for _ in range(3 * FRESH_ITEMS)])
    context = ServingContext(item_index=on, model=None, now_ms=NOW_MS)

    assert len(FreshSource().retrieve(np.array([0], np.int32), NOBODY, context, window="24h")) == FRESH_ITEMS
