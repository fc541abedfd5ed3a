"""Items of the same category, the more alike the higher."""

from __future__ import annotations

import numpy as np

from recommendations.core.types import NO_ROWS, RequestUser
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.content import ContentSource
from tests.recommendations.worlds import NOW_MS, item_index

SHOE = {"category": "Shoes", "brand": "Alta", "price_minor": 5_000}
ON = item_index(SHOE, {**SHOE, "brand": "Brio"}, dict(SHOE), {**SHOE, "price_minor": 90_000}, {"category": "Hats"})


def similar_to(*rows: int) -> list[int]:
    context = ServingContext(item_index=ON, model=None, now_ms=NOW_MS)
    return ContentSource().retrieve(np.array(rows, np.int32), RequestUser(), context, window="24h").rows.tolist()


def test_same_brand_and_a_like_price_come_first_and_the_item_itself_never() -> None:
    assert similar_to(0) == [2, 3, 1]


def test_several_items_are_looked_at_together() -> None:
    assert set(similar_to(0, 4)) == {1, 2, 3}


def test_without_an_item_or_its_category_there_is_nothing_like_it() -> None:
    context = ServingContext(item_index=item_index({}, {}), model=None, now_ms=NOW_MS)

    assert len(ContentSource().retrieve(NO_ROWS, RequestUser(), context, window="24h")) == 0
    assert len(ContentSource().retrieve(np.array([0], np.int32), RequestUser(), context, window="24h")) == 0
