"""What is bought most often comes first."""

from __future__ import annotations

from recommendations.core.types import NO_ROWS, RequestUser
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.purchases import PurchasesSource
from tests.recommendations.worlds import NOW_MS, item_index


def test_purchases_come_by_their_number_and_then_newest_first() -> None:
    context = ServingContext(item_index=item_index(n=5), model=None, now_ms=NOW_MS)
    user = RequestUser(purchases=("sku4", "sku1", "sku2", "gone", "sku1"))

    assert PurchasesSource().retrieve(NO_ROWS, user, context, window="24h").rows.tolist() == [1, 4, 2]
