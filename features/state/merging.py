"""Pure: two profiles of one user key, whose events are disjoint, become one."""

from __future__ import annotations

from typing import Final

from msgspec.structs import fields

from features.definitions import (
    KEEP_ALIASES,
    KEEP_BOUGHT,
    KEEP_CONVERSIONS,
    KEEP_PROFILE_RECENTS,
    KEEP_SESSIONS,
    KEEP_TOUCHES,
    SESSION_GAP_MS,
)
from features.money import saturated
from features.state import purchases
from features.state.counting import seen, votes
from features.state.experiments import exposures
from features.state.identity import attributes
from features.state.recents import trim
from features.state.states import ProfileState

_MAXIMA: Final = (
    "newest_ms", "last_purchase_ms", "session_number", "cart_cleared", "seen_until_s", "seen_import_until_s"
)  # fmt: skip
_MINIMA: Final = ("first_ms",)
SUMS: Final = tuple(
    one.name for one in fields(ProfileState) if one.type is int and one.name not in (*_MAXIMA, *_MINIMA)
)
"""Every number of a profile is a count or an amount, and adds up, but for the times named above."""


def merged(older: ProfileState, newer: ProfileState) -> ProfileState:
    """Return one profile that counts what both count; as if Redis had never forgotten ``older``."""
    total = ProfileState(is_fully_loaded=True)
    for name in SUMS:
        setattr(total, name, getattr(older, name) + getattr(newer, name))
    for name in _MAXIMA:
        setattr(total, name, max(getattr(older, name), getattr(newer, name)))
    for name in _MINIMA:
        setattr(total, name, min((at_ms for p in (older, newer) if (at_ms := getattr(p, name))), default=0))
    total.seen_orders = seen.join(older.seen_orders, newer.seen_orders)
    total.seen_orders_import = seen.join(older.seen_orders_import, newer.seen_orders_import)
    total.votes = votes.join(older.votes, newer.votes)
    total.attributes = attributes.join(older.attributes, newer.attributes)
    for profile in (older, newer):
        for currency, (orders, value, refunded) in profile.apart.items():
            purchases.add_apart(total, currency, orders=orders, value=value, refunded=refunded)
        total.seen.update(profile.seen)
        total.seen_import.update(profile.seen_import)
        for day, (orders, revenue) in profile.days.items():
            sums = total.days.setdefault(day, [0, 0])
            sums[0] += orders
            sums[1] = saturated(sums[1] + revenue)
        for item_id, (at_ms, quantity) in profile.cart.items():
            known = total.cart.get(item_id)
            if known is None or (at_ms, -quantity) > (known[0], -known[1]):
                total.cart[item_id] = [at_ms, quantity]
        for order, known_order in profile.transactions.items():
            total.transactions[order] = min(known_order, total.transactions.get(order, known_order))
        for name, amount in profile.counts.items():
            total.counts[name] = total.counts.get(name, 0) + amount
        for target, source in (
            (total.recents, profile.recents), (total.bought, profile.bought), (total.aliases, profile.aliases)
        ):  # fmt: skip
            for name, at_ms in source.items():
                target[name] = max(at_ms, target.get(name, 0))
    total.exposures = exposures.joined(older, newer)
    total.late_orders = {**older.late_orders, **newer.late_orders}
    purchases.fold_old(total.days)
    trim(total.recents, keep=KEEP_PROFILE_RECENTS)
    trim(total.bought, keep=KEEP_BOUGHT)
    trim(total.aliases, keep=KEEP_ALIASES)
    total.sessions = joined_sessions([*older.sessions, *newer.sessions])[-KEEP_SESSIONS:]
    total.touches = sorted({*older.touches, *newer.touches})[-KEEP_TOUCHES:]
    total.conversions = sorted([*older.conversions, *newer.conversions])[-KEEP_CONVERSIONS:]
    return total


def joined_sessions(sessions: list[list[int]]) -> list[list[int]]:
    """Return sessions, oldest first, with those less than 30 minutes apart made one."""
    joined: list[list[int]] = []
    for start, end, events in sorted(sessions):
        if joined and start <= joined[-1][1] + SESSION_GAP_MS:
            joined[-1] = [joined[-1][0], max(joined[-1][1], end), joined[-1][2] + events]
        else:
            joined.append([start, end, events])
    return joined
