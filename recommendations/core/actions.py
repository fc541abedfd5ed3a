"""The actions of merchandisers' rules; ``pipeline.rules`` holds what each of them does to a list."""

from __future__ import annotations

from recommendations.core.words import Worded, gettext_noop


class RuleAction(Worded):
    """What a rule does to the items that it targets; the words are those of its form."""

    PIN = "pin", gettext_noop("Pin to a rank")
    BOOST = "boost", gettext_noop("Move up")
    BURY = "bury", gettext_noop("Move down")
    EXCLUDE = "exclude", gettext_noop("Never show")
    INCLUDE_ONLY = "include_only", gettext_noop("Show nothing else")
    REPLACE = "replace", gettext_noop("Show others instead")
    LIMIT = "limit", gettext_noop("Show at most so many")


class PinOrder(Worded):
    """Which of the matching items a pin by condition takes first; the words are those of its form and its sentence."""

    NEWEST = "newest", gettext_noop("newest")
    POPULAR = "popular", gettext_noop("most popular")
    CHEAPEST = "cheapest", gettext_noop("cheapest")
    DEAREST = "dearest", gettext_noop("most expensive")


class LimitPer(Worded):
    """Of what a limit counts items; the words are those of its form and its sentence."""

    BRAND = "brand", gettext_noop("brand")
    CATEGORY = "category", gettext_noop("category")
    ALL = "all", gettext_noop("list, all of them together")


class PagePrice(Worded):
    """How the price of an item stands to that of the page's item; the words are those of the form."""

    ANY = "", gettext_noop("whatever that costs")
    WITHIN = "within", gettext_noop("within so many percent of it")
    CHEAPER = "cheaper", gettext_noop("cheaper than it")
    DEARER = "dearer", gettext_noop("more expensive than it")
