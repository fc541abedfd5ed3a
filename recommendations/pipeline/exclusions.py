"""What a list must not hold of what the user has already: the page's item, the cart, and what was bought."""

from __future__ import annotations

from collections.abc import Sequence

from recommendations.core.strategies import Strategy
from recommendations.core.types import RequestUser
from recommendations.items.index import DAY_MS, ItemIndex
from recommendations.pipeline.query import ListQuery


def hidden_rows(
    query: ListQuery,
    user: RequestUser,
    item_index: ItemIndex,
    *,
    strategy: Strategy,
    about: Sequence[int],
    now_ms: int,
) -> set[int]:
    """Return the rows that this list must not hold; a row stands for all variants of its product.

    Given candidates are the shop's own list, such as search results: of those, only what the request or the placement
    names is left out, so that a user finds again what lies in the cart.
    """
    sequence, placement = item_index.sequence, query.placement
    hidden = set(sequence(query.exclude))
    if strategy.hides_about:
        hidden.update(about)
    if placement.repeats == "hide_seen":
        hidden.update(sequence((*user.session, *user.clicked)))
    if query.candidates is None or strategy.hides_about or placement.repeats == "hide_seen":
        hidden.update(sequence(query.context_items))
    if query.candidates is None and placement.hides_cart:
        hidden.update(sequence(query.cart))
        hidden.update(sequence(user.cart))
    hidden.update(_bought_rows(query, user, item_index, strategy=strategy, now_ms=now_ms))
    return hidden


def _bought_rows(
    query: ListQuery, user: RequestUser, item_index: ItemIndex, *, strategy: Strategy, now_ms: int
) -> Sequence[int]:
    """Return what was bought and is not to be shown again yet."""
    placement = query.placement
    if strategy.lists_purchases or not user.purchases:
        return ()
    if placement.repeats == "hide_purchased":
        bought = item_index.sequence(user.purchases)
    elif query.candidates is None and placement.bought_days:
        since_ms = now_ms - placement.bought_days * DAY_MS
        times = user.bought_ms
        bought = item_index.sequence(item_id for item_id in user.purchases if times.get(item_id, now_ms) >= since_ms)
    else:
        return ()
    if placement.repeatable is None or not bought:
        return bought
    may_repeat = item_index.mask(f"filter:{placement.repeatable_filter}", placement.repeatable)
    return [row for row in bought if not may_repeat[row]]
