"""Every candidate source and every reason of an item, by name, each with the words that merchandisers read.

A source without a model declares its name and label in its own file and is listed in ``BUILT_IN``; the sources that
model versions bring are declared in ``MODEL_SOURCES``, those of installed packages by their entry points. An item's
reason is the source that brought it, or one of ``Reason``. ``tests/recommendations/retrieval/test_sources.py`` holds
strategies, training, the screens and ``docs/serving.md`` to these declarations, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from recommendations.core.words import Worded, gettext_noop
from recommendations.retrieval.arrivals import FreshSource, NewestSource
from recommendations.retrieval.base import Source
from recommendations.retrieval.content import ContentSource
from recommendations.retrieval.installed import installed_sources
from recommendations.retrieval.popular import PopularSource, TrendingSource
from recommendations.retrieval.purchases import PurchasesSource
from recommendations.retrieval.recents import RecentsSource

BUILT_IN: Final[Mapping[str, Source]] = {
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
"""Our own sources that need no trained model."""

MODEL_SOURCES: Final[Mapping[str, str]] = {
    "sessions": gettext_noop("shoppers with a similar visit went on to it"),
    "tfidf": gettext_noop("viewed by the same shoppers"),
    "covisitation": gettext_noop("often viewed in the same visit"),
    "next": gettext_noop("often viewed next"),
    "walk": gettext_noop("a few steps away in what shoppers view"),
    "around": gettext_noop("often viewed shortly before or after"),
    "factors": gettext_noop("suits the visit as a whole"),
    "als": gettext_noop("suits the taste of the shopper"),
    "baskets": gettext_noop("often bought together"),
}
"""The sources that a trained model version may bring, with their labels."""


class Reason(Worded):
    """Why an item is in a list where no source brought it there."""

    PINNED = "pinned", gettext_noop("pinned by a rule")
    EDITORIAL = "editorial", gettext_noop("named in the placement, for when there are too few items")
    EXPLORATION = "exploration", gettext_noop("a new item that is given a chance")
    GIVEN = "given", gettext_noop("one of the items that were to be ordered")
    POPULAR = "popular", gettext_noop("popular in the shop")


_OURS: Final = frozenset({"popularity", *BUILT_IN, *MODEL_SOURCES, *(reason.value for reason in Reason)})

INSTALLED, REFUSED = installed_sources(_OURS)
"""The sources of installed packages, and what they offer that is none; read once, as the process starts."""

NAMES_TAKEN: Final = _OURS | INSTALLED.keys()
"""What a site may not call a source of its own."""

SOURCES: Final[Mapping[str, Source]] = {**BUILT_IN, **INSTALLED}
"""The sources that need no trained model."""

LABELS: Final[Mapping[str, str]] = {
    **{source.name: source.label for source in SOURCES.values()},
    **MODEL_SOURCES,
    **{reason.value: reason.words for reason in Reason},
}
"""What each source and each reason says of an item; keys are all the values that ``reason`` in a reply can have."""
