"""What each strategy of a placement means: which items a list is about, and which sources propose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from recommendations.core.types import RequestUser
from recommendations.items.index import ItemIndex
from recommendations.pipeline.query import ListQuery, PlacementSpec


class About(StrEnum):
    """Which items a list goes with."""

    SHOPPER = "shopper"  # what this shopper did last; the page's item counts as the newest of it
    CONTEXT = "context"  # the item, or items, of the page
    CART = "cart"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a list is made.

    Attributes
    ----------
    weights : mapping of source to weight
        In reciprocal rank fusion, beside those that the model version brings for its own sources.
    uses_model_weights : bool
        Take every source of the model with the weights that were tuned in training.
    beside_model : mapping of source to weight
        What stands beside those in place of ``weights``. What was tuned decides the order; repeats are in it already.
    uses_ranker : bool
        Order what the model knows by its ranker, where it has one.
    hides_about : bool
        Leave out the items that the list is about.
    """

    about: About
    weights: Mapping[str, float]
    uses_model_weights: bool = False
    beside_model: Mapping[str, float] = field(default_factory=dict)
    uses_ranker: bool = False
    hides_about: bool = True
    is_personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a list is about, as rows, newest first.

    Attributes
    ----------
    rows : tuple of int
        Repeats kept: training counted them, too.
    context : int or None
        The item of the page.
    is_of_shopper : bool
        ``rows`` come from the shopper's history, not only from the request.
    """

    rows: tuple[int, ...]
    context: int | None
    is_of_shopper: bool


MAX_ABOUT: Final = 50

STRATEGIES: Final[Mapping[str, Strategy]] = {
    "for_you": Strategy(
        about=About.SHOPPER,
        weights={"recents": 0.3, "fresh": 0.25, "content": 0.1},
        beside_model={"recents": 1e-3, "fresh": 0.25, "content": 1e-2, "popular": 1e-4},
        uses_model_weights=True,
        uses_ranker=True,
        hides_about=False,
        is_personal=True,
    ),
    "similar": Strategy(about=About.CONTEXT, weights={"tfidf": 1.0, "content": 0.8, "covisitation": 0.3, "fresh": 0.2}),
    "also_viewed": Strategy(
        about=About.CONTEXT, weights={"covisitation": 1.0, "next": 0.5, "sessions": 0.5, "tfidf": 0.3, "content": 0.05}
    ),
    "bought_together": Strategy(
        about=About.CONTEXT, weights={"baskets": 1.0, "covisitation": 0.2, "tfidf": 0.1, "content": 0.02}
    ),
    "cart": Strategy(
        about=About.CART, weights={"baskets": 1.0, "covisitation": 0.3, "sessions": 0.2, "tfidf": 0.1, "content": 0.02}
    ),
    "trending": Strategy(about=About.NOTHING, weights={"trending": 1.0, "popular": 0.001}),
    "new": Strategy(about=About.NOTHING, weights={"newest": 1.0}),
    "recently_viewed": Strategy(about=About.NOTHING, weights={"recents": 1.0}, hides_about=False, is_personal=True),
    "buy_again": Strategy(about=About.NOTHING, weights={"purchases": 1.0}, hides_about=False, is_personal=True),
    "rerank": Strategy(
        about=About.SHOPPER,
        weights={"recents": 0.3, "content": 0.1},
        beside_model={"recents": 1e-3, "content": 1e-2},
        uses_model_weights=True,
        hides_about=False,
        is_personal=True,
    ),
}


def of(placement: PlacementSpec, shopper: RequestUser) -> Strategy:
    """Return the placement's strategy, or the one that it names for a segment of the shopper."""
    if placement.segment_strategies and shopper.segments:
        for segment, name in placement.segment_strategies.items():
            if segment in shopper.segments and name in STRATEGIES:
                return STRATEGIES[name]
    return STRATEGIES[placement.strategy]


def about(strategy: Strategy, ask: ListQuery, shopper: RequestUser, item_index: ItemIndex) -> Subject:
    """Return the items that the list goes with.

    The page's item counts as the newest interaction of the shopper: its event may still be on the way.
    """
    context = item_index.sequence(ask.context_items)
    page = context[0] if context else None
    if strategy.about is About.CONTEXT:
        rows = context or item_index.sequence(ask.cart)
        of_shopper = not rows
        if of_shopper:  # a product list on a page without a product: go by what was looked at last
            rows = item_index.sequence(shopper.recents[:3])
        return Subject(rows=tuple(rows[:MAX_ABOUT]), context=page, is_of_shopper=of_shopper and bool(rows))
    if strategy.about is About.CART:
        cart = item_index.sequence(ask.cart)
        of_shopper = not cart
        rows = cart or item_index.sequence(shopper.cart) or context
        return Subject(rows=tuple(rows[:MAX_ABOUT]), context=page, is_of_shopper=of_shopper and bool(shopper.cart))
    if strategy.about is About.SHOPPER:
        history = item_index.sequence(shopper.session or shopper.recents)
        added = [row for row in [*context, *item_index.sequence(ask.cart)] if row not in history[:1]]
        rows = [*added, *history]
        return Subject(rows=tuple(rows[:MAX_ABOUT]), context=page, is_of_shopper=bool(history))
    has_history = bool(shopper.recents or shopper.purchases)
    return Subject(rows=(), context=page, is_of_shopper=strategy.is_personal and has_history)
