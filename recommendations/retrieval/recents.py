"""What the shopper looked at of late, newest first."""

from __future__ import annotations

from recommendations.core.types import SourceList
from recommendations.retrieval.base import Question, listed


class RecentsSource:
    """In shops a third of what comes next was seen before, and most of what is bought."""

    name = "recents"

    def retrieve(self, question: Question) -> SourceList:
        """Return the shopper's recent items."""
        return listed(self.name, question.item_index.rows(question.shopper.recents[: question.k]))
