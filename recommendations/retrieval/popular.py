"""What everybody looks at: all in all, and in the last hours."""

from __future__ import annotations

from recommendations.core.types import SourceList
from recommendations.retrieval.base import Question, listed


class PopularSource:
    """Needs neither a shopper nor a model; a site without any event yet shows its newest items."""

    name = "popular"

    def retrieve(self, question: Question) -> SourceList:
        """Return the most popular items."""
        rows = question.item_index.popular[: question.k]
        return listed(self.name, rows)


class TrendingSource:
    """Counts of a window of minutes to days, as the stream workers keep them."""

    name = "trending"

    def retrieve(self, question: Question) -> SourceList:
        """Return the items that were looked at most in the question's window."""
        rows, counts = question.item_index.trending(question.window)
        return listed(self.name, rows[: question.k], counts[: question.k])
