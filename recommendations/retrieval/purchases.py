"""What the user purchased before: what was purchased most often first, then the newest."""

from __future__ import annotations

from collections import Counter

from recommendations.core.types import Ranked, RequestUser, RowArray
from recommendations.core.words import gettext_noop
from recommendations.retrieval.base import PER_SOURCE, ServingContext, listed


class PurchasesSource:
    """For things that are bought again: coffee, filters, pet food."""

    name = "purchases"
    label = gettext_noop("the shopper bought it before")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the user's purchases."""
        times = Counter(user.purchases)
        order = sorted(times, key=lambda item_id: -times[item_id])  # stable: ties stay newest first
        return listed(context.item_index.rows(order[:PER_SOURCE]))
