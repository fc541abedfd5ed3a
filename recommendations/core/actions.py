"""The actions of merchandisers' rules; ``pipeline.rules`` holds what each of them does to a list."""

from __future__ import annotations

from recommendations.core.words import Worded


class RuleAction(Worded):
    """What a rule does to the items that it targets; the words are those of its form."""

    PIN = "pin", "Pin to a rank"
    BOOST = "boost", "Move up"
    BURY = "bury", "Move down"
    EXCLUDE = "exclude", "Never show"
    INCLUDE_ONLY = "include_only", "Show nothing else"


class PinOrder(Worded):
    """Which of the matching items a pin by condition takes first; the words are those of its form and its sentence."""

    NEWEST = "newest", "newest"
    POPULAR = "popular", "most popular"
    CHEAPEST = "cheapest", "cheapest"
    DEAREST = "dearest", "most expensive"
