"""What the shopper bought before: what was bought most often first, then the newest."""

from __future__ import annotations

from collections import Counter

from recommendations.core.types import SourceList
from recommendations.retrieval.base import Question, listed


class PurchasesSource:
    """For things that are bought again: coffee, filters, pet food."""

    name = "purchases"

    def retrieve(self, question: Question) -> SourceList:
        """Return the shopper's purchases."""
        times = Counter(question.shopper.purchases)
        order = sorted(times, key=lambda item_id: -times[item_id])  # stable: ties stay newest first
        return listed(self.name, question.item_index.rows(order[: question.k]))
