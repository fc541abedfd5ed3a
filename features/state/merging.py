"""Pure: two profiles of one user key, whose events are disjoint, become one."""

from __future__ import annotations

from features.definitions import (
    KEEP_ALIASES,
    KEEP_BOUGHT,
    KEEP_CONVERSIONS,
    KEEP_PROFILE_RECENTS,
    KEEP_SESSIONS,
    KEEP_TOUCHES,
    SESSION_GAP_MS,
)
from features.state import purchases
from features.state.recents import trim
from features.state.states import ProfileState

_SUMS = (
    "page_views", "list_views", "selects", "views", "carts", "wishlists", "searches", "checkouts", "orders", "units",
    "revenue", "refunds", "refunded",
)  # fmt: skip
_MAXIMA = ("newest_ms", "last_purchase_ms", "session_number", "cart_cleared", "seen_until_s", "seen_import_until_s")


def merged(older: ProfileState, newer: ProfileState) -> ProfileState:
    """Return one profile that counts what both count; as if Redis had never forgotten ``older``."""
    whole = ProfileState(is_fully_loaded=True)
    for name in _SUMS:
        setattr(whole, name, getattr(older, name) + getattr(newer, name))
    for name in _MAXIMA:
        setattr(whole, name, max(getattr(older, name), getattr(newer, name)))
    whole.first_ms = min((p.first_ms for p in (older, newer) if p.first_ms), default=0)
    for profile in (older, newer):
        whole.seen.update(profile.seen)
        whole.seen_import.update(profile.seen_import)
        for day, (orders, revenue) in profile.days.items():
            sums = whole.days.setdefault(day, [0, 0])
            sums[0] += orders
            sums[1] += revenue
        for item_id, (at_ms, quantity) in profile.cart.items():
            known = whole.cart.get(item_id)
            if known is None or (at_ms, -quantity) > (known[0], -known[1]):
                whole.cart[item_id] = [at_ms, quantity]
        whole.transactions.update(profile.transactions)
        for target, source in (
            (whole.recents, profile.recents), (whole.bought, profile.bought), (whole.aliases, profile.aliases)
        ):  # fmt: skip
            for name, at_ms in source.items():
                target[name] = max(at_ms, target.get(name, 0))
    purchases.fold_old(whole.days)
    trim(whole.recents, keep=KEEP_PROFILE_RECENTS)
    trim(whole.bought, keep=KEEP_BOUGHT)
    trim(whole.aliases, keep=KEEP_ALIASES)
    whole.sessions = joined_sessions([*older.sessions, *newer.sessions])[-KEEP_SESSIONS:]
    whole.touches = sorted({*older.touches, *newer.touches})[-KEEP_TOUCHES:]
    whole.conversions = sorted([*older.conversions, *newer.conversions])[-KEEP_CONVERSIONS:]
    return whole


def joined_sessions(sessions: list[list[int]]) -> list[list[int]]:
    """Return sessions, oldest first, with those less than 30 minutes apart made one."""
    joined: list[list[int]] = []
    for start, end, events in sorted(sessions):
        if joined and start <= joined[-1][1] + SESSION_GAP_MS:
            joined[-1] = [joined[-1][0], max(joined[-1][1], end), joined[-1][2] + events]
        else:
            joined.append([start, end, events])
    return joined
