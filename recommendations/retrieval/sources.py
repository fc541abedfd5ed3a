"""Every candidate source and every reason of an item, by name, each with the words that merchandisers read.

A source without a model declares its name and label in its own file and is listed in ``SOURCES``; the sources that
model versions bring are declared in ``MODEL_SOURCES``. An item's reason is the source that brought it, or one of
``Reason``. ``tests/recommendations/retrieval/test_sources.py`` holds strategies, training, the screens and
``docs/serving.md`` to these declarations, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from recommendations.core.words import Worded
from recommendations.retrieval.arrivals import FreshSource, NewestSource
from recommendations.retrieval.base import Source
from recommendations.retrieval.content import ContentSource
from recommendations.retrieval.popular import PopularSource, TrendingSource
from recommendations.retrieval.purchases import PurchasesSource
from recommendations.retrieval.recents import RecentsSource

SOURCES: Final[Mapping[str, Source]] = {
    source.name: source
    for source in (
        RecentsSource(),
        PurchasesSource(),
        PopularSource(),
        TrendingSource(),
        NewestSource(),
        FreshSource(),
        ContentSource(),
    )
}
"""The sources that need no trained model."""

MODEL_SOURCES: Final[Mapping[str, str]] = {
    "sessions": "shoppers with a similar visit went on to it",
    "tfidf": "viewed by the same shoppers",
    "covisitation": "often viewed in the same visit",
    "next": "often viewed next",
    "walk": "a few steps away in what shoppers view",
    "around": "often viewed shortly before or after",
    "factors": "suits the visit as a whole",
    "als": "suits the taste of the shopper",
    "baskets": "often bought together",
}
"""The sources that a trained model version may bring, with their labels."""


class Reason(Worded):
    """Why an item is in a list where no source brought it there."""

    PINNED = "pinned", "pinned by a rule"
    EDITORIAL = "editorial", "named in the placement, for when there are too few items"
    EXPLORATION = "exploration", "a new item that is given a chance"
    GIVEN = "given", "one of the items that were to be ordered"
    POPULAR = "popular", "popular in the shop"


LABELS: Final[Mapping[str, str]] = {
    **{source.name: source.label for source in SOURCES.values()},
    **MODEL_SOURCES,
    **{reason.value: reason.label for reason in Reason},
}
"""What each source and each reason says of an item; keys are all the values that ``reason`` in a reply can have."""
