"""What was looked at last comes first."""

from __future__ import annotations

from recommendations.core.types import NO_ROWS, RequestUser
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.recents import RecentsSource
from tests.recommendations.worlds import NOW_MS, item_index


def test_recent_items_come_newest_first_without_those_that_left_the_catalogue() -> None:
    context = ServingContext(item_index=item_index(n=5), model=None, now_ms=NOW_MS)

    found = RecentsSource().retrieve(NO_ROWS, RequestUser(recents=("sku4", "gone", "sku1")), context, window="24h")

    assert found.rows.tolist() == [4, 1]
