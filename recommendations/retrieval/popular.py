"""What everybody looks at: over all time, and in the last hours."""

from __future__ import annotations

from recommendations.core.types import Ranked, RequestUser, RowArray
from recommendations.core.words import gettext_noop
from recommendations.retrieval.base import PER_SOURCE, ServingContext, listed


class PopularSource:
    """Needs neither a user nor a model; a site without any event yet shows its newest items."""

    name = "popular"
    label = gettext_noop("popular in the shop")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the most popular items."""
        return listed(context.item_index.popular[:PER_SOURCE])


class TrendingSource:
    """Counts of a window of minutes to days, as the stream workers keep them."""

    name = "trending"
    label = gettext_noop("viewed often just now")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the items with the highest counts in the window."""
        rows, counts = context.item_index.trending(window)
        return listed(rows[:PER_SOURCE], counts[:PER_SOURCE])
