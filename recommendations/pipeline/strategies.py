"""The first step: which strategy makes a list, and which items the list goes with."""

from __future__ import annotations

from typing import Final

from recommendations.core.strategies import STRATEGIES, About, Strategy
from recommendations.core.types import RequestUser
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.state import PipelineState

MAX_ABOUT: Final = 50


def strategy_for(placement: PlacementSpec, user: RequestUser) -> Strategy:
    """Return the placement's strategy, or the one that it names for a segment of the user."""
    if placement.segment_strategies and user.segments:
        for segment, name in placement.segment_strategies.items():
            if segment in user.segments and name in STRATEGIES:
                return STRATEGIES[name]
    return STRATEGIES[placement.strategy]


def find_subject(state: PipelineState) -> None:
    """Write the strategy, the items that the list goes with, and whether they come from the user's history.

    The page's item counts as the newest interaction of the user: its event may still be on the way.
    """
    query, user = state.query, state.user
    state.strategy = strategy_for(query.placement, user)
    sequence = state.context.item_index.sequence
    context = sequence(query.context_items)
    state.page_row = context[0] if context else None
    about = state.strategy.about
    rows: list[int] = []
    if about is About.CONTEXT:
        rows = context or sequence(query.cart)
        if not rows:  # a product list on a page without a product: go by what was viewed last
            rows = sequence(user.recents[:3])
            state.is_of_user = bool(rows)
    elif about is About.CART:
        cart = sequence(query.cart)
        rows = cart or sequence(user.cart) or context
        state.is_of_user = not cart and bool(user.cart)
    elif about is About.USER:
        history = sequence(user.session or user.recents)
        added = [row for row in [*context, *sequence(query.cart)] if row not in history[:1]]
        rows = [*added, *history]
        state.is_of_user = bool(history)
    else:
        state.is_of_user = state.strategy.is_personal and bool(user.recents or user.purchases)
    state.about = tuple(rows[:MAX_ABOUT])
