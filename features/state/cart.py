"""What is in the cart: last write wins, by event time, whatever order events arrive in.

A removal is a quantity of 0. A purchase empties the cart of what was put in before it; a cart that the page shows in
full (``view_cart``, ``begin_checkout``) replaces what was known before it.
"""

from __future__ import annotations

from features.definitions import CART_AGE_MS, KEEP_CART
from features.state.states import ProfileState


def put(profile: ProfileState, item_id: str, *, at_ms: int, quantity: int) -> None:
    """Note how many pieces of an item are in the cart; of two writes of the same time, the smaller wins."""
    cart = profile.cart
    known = cart.get(item_id)
    if known is None:
        cart[item_id] = [at_ms, quantity]
        if len(cart) > KEEP_CART:
            del cart[min(cart, key=lambda name: (cart[name][0], name))]
    elif (at_ms, -quantity) > (known[0], -known[1]):
        known[0] = at_ms
        known[1] = quantity


def clear(profile: ProfileState, *, at_ms: int, with_that_time: bool) -> None:
    """Empty the cart of what was put in before ``at_ms``, and of that very time if asked."""
    profile.cart_cleared = max(profile.cart_cleared, 2 * at_ms + with_that_time)


def content(profile: ProfileState, *, now_ms: int) -> dict[str, int]:
    """Return item id → pieces of what is in the cart, newest first."""
    oldest_ms = max(-(-profile.cart_cleared // 2), now_ms - CART_AGE_MS)
    held = [
        (at_ms, item_id, quantity)
        for item_id, (at_ms, quantity) in profile.cart.items()
        if quantity > 0 and at_ms >= oldest_ms
    ]
    return {item_id: quantity for _, item_id, quantity in sorted(held, reverse=True)}
