"""What the user looked at recently, newest first."""

from __future__ import annotations

from recommendations.core.types import Ranked, RequestUser, RowArray
from recommendations.core.words import gettext_noop
from recommendations.retrieval.base import PER_SOURCE, ServingContext, listed


class RecentsSource:
    """In shops a third of what comes next was seen before, and most of what is bought."""

    name = "recents"
    label = gettext_noop("the shopper looked at it before")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the user's recent items."""
        return listed(context.item_index.rows(user.recents[:PER_SOURCE]))
