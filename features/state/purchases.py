"""What purchases and refunds do to a profile: counts for recency, frequency and monetary value.

Amounts are whole minor units of their currency, since sums of floats depend on their order. Purchases are kept by UTC
day for 91 days and by week beyond, at most 139 panes of them, so that the windows of 30 and 90 days are exact to the
day and the one of 365 days to the week.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from features.definitions import DAY_MS, KEEP_ORDERS
from features.money import bounded, line_minor, saturated, to_minor
from features.state.states import ProfileState
from tracking.contract.events import EventItem
from tracking.contract.mending.currencies import UNKNOWN

EXACT_DAYS: Final = 91
KEEP_DAYS: Final = 372
KEEP_APART: Final = 16
"""Currencies without a rate that a profile tells apart."""


def value_of(items: Iterable[EventItem], value: float | None, currency: str) -> int:
    """Return the event's value, else the sum over its items, in minor units; never more than ``MAX_ORDER_MINOR``.

    Here and in ``line_value`` alone, an amount that was reported becomes one that is counted.
    """
    if value is not None:
        return bounded(to_minor(value, currency))
    return bounded(sum(line_value(item, currency) for item in items))


def line_value(item: EventItem, currency: str) -> int:
    """Return what a line is worth, in minor units; never more than ``MAX_ORDER_MINOR``."""
    return bounded(line_minor(item.price or 0.0, item.quantity, currency))


def hash64(text: str) -> int:
    """Return a 64-bit hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def note_newest(profile: ProfileState, order: int, *, at_ms: int) -> None:
    """Note when an order was placed, among the newest; the time of the last purchase follows from them."""
    newest = profile.transactions
    newest[order] = [at_ms]
    if len(newest) > KEEP_ORDERS:
        del newest[min(newest, key=lambda known: (newest[known][0], known))]
    profile.last_purchase_ms = max(known[0] for known in newest.values() if len(known) == 1 or known[1] >= 0)


def add_apart(profile: ProfileState, currency: str, *, orders: int, value: int, refunded: int) -> None:
    """Add to what cannot be converted, in minor units of its currency, or take away from it.

    Beyond ``KEEP_APART`` currencies, further ones are one: ``UNKNOWN``.
    """
    apart = profile.apart
    name = currency if currency in apart or len(apart) < KEEP_APART else UNKNOWN
    sums = apart.setdefault(name, [0, 0, 0])
    for index, amount in enumerate((orders, value, refunded)):
        sums[index] = saturated(sums[index] + amount)
    if not any(sums):
        del apart[name]


def window_sums(profiles: Iterable[dict[int, list[int]]], *, now_ms: int, window_days: int) -> tuple[int, int]:
    """Return orders and net revenue of the last ``window_days`` UTC days, today included, over all ``profiles``."""
    first = now_ms // DAY_MS - window_days + 1
    orders = revenue = 0
    for days in profiles:
        for day, (day_orders, day_revenue) in days.items():
            last_of_pane = day if day >= 0 else -day * 7 + 6
            if last_of_pane >= first:
                orders += day_orders
                revenue += day_revenue
    return orders, revenue


def add_to_day(profile: ProfileState, *, at_ms: int, orders: int, revenue: int) -> None:
    """Add to what was bought on a UTC day, or take away from it."""
    days = profile.days
    day = at_ms // DAY_MS
    sums = days.setdefault(-(day // 7) if -(day // 7) in days else day, [0, 0])  # where what is taken back may stand
    sums[0] += orders
    sums[1] = saturated(sums[1] + revenue)
    fold_old(days)


def fold_old(days: dict[int, list[int]]) -> None:
    """Move days beyond the exact ones into their week; drop weeks beyond the longest window, and panes of nothing."""
    for pane in [pane for pane, sums in days.items() if not any(sums)]:
        del days[pane]
    if len(days) < 2:
        return
    newest = max(day if day >= 0 else -day * 7 for day in days)
    # A week is made only of days that have all left the exact ones; else the window of 90 days would count old ones.
    for day in [day for day in days if day >= 0 and day // 7 * 7 + 6 < newest - EXACT_DAYS]:
        old = days.pop(day)
        week = days.setdefault(-(day // 7), [0, 0])
        week[0] += old[0]
        week[1] = saturated(week[1] + old[1])
    for week_key in [
        key for key, sums in days.items() if key < 0 and (-key * 7 + 6 < newest - KEEP_DAYS or not any(sums))
    ]:
        del days[week_key]
