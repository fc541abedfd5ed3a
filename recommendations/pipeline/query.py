"""What one list is to be: the placement as merchandisers set it up, and what the request adds to it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from recommendations.core.objectives import Weights
from recommendations.core.strategies import BOUGHT_DAYS
from recommendations.core.visit import NO_VISIT, Visit
from recommendations.filters.language import Condition
from recommendations.pipeline.diversity import NO_VARIETY, Variety
from recommendations.pipeline.rules.applying import Rules
from recommendations.pipeline.rules.base import CompiledRule

Repeats = Literal["allow", "hide_seen", "hide_purchased"]
FallbackPolicy = Literal["popular", "editorial", "empty"]


@dataclass(frozen=True, kw_only=True)
class PlacementSpec:
    """A placement as it is served, with the rules that may touch it, highest priority first.

    Attributes
    ----------
    sources : tuple of str
        In place of those of the strategy; empty: those of the strategy.
    added_sources : tuple of str
        Beside these.
    condition : Condition, optional
        ``filter``, parsed; its mask is cached under that text.
    exploration : float
        Chance of each position but the first to hold a new item.
    objectives : tuple of (str, float)
        What the list is ordered for, ``core.objectives``; none for the order that was learnt.
    hides_cart : bool
        Leave out what lies in the cart.
    bought_days : int
        Leave out what was bought in so many days; 0 leaves out nothing.
    repeatable : Condition, optional
        What is not left out for having been bought: coffee, filters, pet food. Its mask is cached under
        ``repeatable_filter``.
    """

    name: str
    heading: str = ""
    layout: str = ""
    strategy: str = "for_you"
    segment_strategies: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    added_sources: tuple[str, ...] = ()
    filter: str = ""
    condition: Condition | None = None
    size: int = 8
    repeats: Repeats = "allow"
    hides_cart: bool = True
    bought_days: int = BOUGHT_DAYS
    repeatable_filter: str = ""
    repeatable: Condition | None = None
    window: str = "24h"
    variety: Variety = NO_VARIETY
    fallback: FallbackPolicy = "popular"
    editorial_items: tuple[str, ...] = ()
    rules: tuple[CompiledRule, ...] = ()
    exploration: float = 0.0
    objectives: Weights = ()

    def __post_init__(self) -> None:
        if not isinstance(self.rules, Rules):  # once, so that copies of a placement share what is made of its rules
            object.__setattr__(self, "rules", Rules(self.rules))

    @property
    def indexed_rules(self) -> Rules:
        """Its rules, looked up by audience."""
        assert isinstance(self.rules, Rules)
        return self.rules

    @cached_property
    def visit_fields(self) -> tuple[str, ...]:
        """The fields of ``Visit`` for which some rule of it asks; of others no list depends."""
        return tuple(sorted({name for rule in self.rules for name in rule.spec.visit_fields}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """One list of one request, checked.

    Attributes
    ----------
    context_items : tuple of str
        The item, or items, of the page.
    condition : Condition, optional
        ``filter``, parsed; its mask is cached under that text.
    candidates : tuple of str, optional
        Order these and add nothing: search results, a category page.
    fields : tuple of str, optional
        The fields of items that the reply is to hold; all when None.
    locale : str, optional
        The language of titles.
    explains : bool
        Whether the reply is to say why; costs about as much as the list itself.
    visit : Visit
        Where and how the page is looked at, for rules that ask.
    model : str
        The version that answers: live, canary, shadow, none; empty: the user's own.
    arms : tuple of (str, int)
        Experiments, and the arm that the list is made for.
    """

    placement: PlacementSpec
    limit: int
    context_items: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filter: str = ""
    condition: Condition | None = None
    candidates: tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None
    locale: str | None = None
    explains: bool = False
    visit: Visit = NO_VISIT
    model: str = ""
    arms: tuple[tuple[str, int], ...] = ()

    @property
    def cache_key(self) -> Hashable:
        """What the rows of the list depend on, beside the user and the state of the site."""
        return (
            self.placement.name,
            self.limit,
            self.context_items,
            self.cart,
            self.exclude,
            self.filter,
            self.candidates,
            *(getattr(self.visit, name) for name in self.placement.visit_fields),
            self.arms,
        )
