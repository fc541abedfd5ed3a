"""What one list is to be: the placement as merchandisers set it up, and what the request adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recommendations.filters.language import Condition
from recommendations.pipeline.diversity import NO_VARIETY, Variety
from recommendations.pipeline.rules import CompiledRule

Repeats = Literal["allow", "hide_seen", "hide_purchased"]
FallbackPolicy = Literal["popular", "editorial", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedCondition:
    """A condition and the key under which its mask is cached."""

    key: str
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementSpec:
    """A placement as it is served, with the rules that may touch it, highest priority first."""

    name: str
    heading: str = ""
    strategy: str = "for_you"
    segment_strategies: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    condition: KeyedCondition | None = None
    size: int = 8
    repeats: Repeats = "allow"
    window: str = "24h"
    variety: Variety = NO_VARIETY
    fallback: FallbackPolicy = "popular"
    editorial_items: tuple[str, ...] = ()
    rules: tuple[CompiledRule, ...] = ()
    exploration: float = 0.0  # chance of each place but the first to hold a new item


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """One list of one request, checked.

    Attributes
    ----------
    context_items : tuple of str
        The item, or items, of the page.
    candidates : tuple of str, optional
        Order these and add nothing: search results, a category page.
    """

    placement: PlacementSpec
    limit: int
    context_items: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    condition: KeyedCondition | None = None
    candidates: tuple[str, ...] | None = None
