"""What purchases and refunds do to a profile: counts for recency, frequency and monetary value.

Amounts are whole minor units (1/100), since sums of floats depend on their order. Purchases are kept by UTC day for
91 days and by week beyond, at most 139 panes of them, so that the windows of 30 and 90 days are exact to the day and
the one of 365 days to the week.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from features.definitions import DAY_MS, KEEP_ORDERS
from features.money import bounded, saturated
from features.state.states import ProfileState
from tracking.contract.events import EventItem

EXACT_DAYS: Final = 91
KEEP_DAYS: Final = 372


def minor_units(value: float) -> int:
    """Return an amount of money in whole minor units of two decimals, whatever the currency's own exponent."""
    return round(value * 100)


def value_of(items: Iterable[EventItem], value: float | None) -> int:
    """Return the event's value, else the sum over its items, in minor units; never more than ``MAX_ORDER_MINOR``."""
    if value is not None:
        return bounded(minor_units(value))
    return bounded(sum(line_value(item) for item in items))


def line_value(item: EventItem) -> int:
    """Return what a line is worth, in minor units; never more than ``MAX_ORDER_MINOR``."""
    return bounded(minor_units(item.price or 0.0) * item.quantity)


def hash64(text: str) -> int:
    """Return a 64-bit hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def add_purchase(profile: ProfileState, *, at_ms: int, transaction: int, units: int, revenue: int) -> None:
    """Count a purchase; a transaction reported in parts is one order with the value of all its parts."""
    known = profile.transactions.get(transaction)
    is_first_part = known is None or known[1] < 0
    profile.orders += is_first_part
    profile.units = saturated(profile.units + units)
    profile.revenue = saturated(profile.revenue + revenue)
    if profile.last_purchase_ms < at_ms:
        profile.last_purchase_ms = at_ms
    _add_to_day(profile, at_ms=at_ms, orders=int(is_first_part), revenue=revenue)
    if known is None:
        profile.transactions[transaction] = [at_ms, revenue, 0]
        _trim_transactions(profile)
        return
    known[0] = max(known[0], at_ms)
    known[1] = saturated(max(known[1], 0) + revenue)
    if known[2]:  # refunded as a whole before it arrived
        profile.refunded = saturated(profile.refunded + revenue)
        _add_to_day(profile, at_ms=known[2], orders=0, revenue=-revenue)


def add_refund(profile: ProfileState, *, at_ms: int, transaction: int, amount: int | None) -> None:
    """Count a refund of ``amount``; ``None`` is the whole transaction, whichever of the two arrives first."""
    profile.refunds += 1
    if amount is not None:
        profile.refunded = saturated(profile.refunded + amount)
        _add_to_day(profile, at_ms=at_ms, orders=0, revenue=-amount)
        return
    known = profile.transactions.setdefault(transaction, [at_ms, -1, 0])
    known[0] = max(known[0], at_ms)
    value, refunded_ms = max(known[1], 0), known[2]
    if not refunded_ms:
        profile.refunded = saturated(profile.refunded + value)
    elif at_ms < refunded_ms:  # a whole transaction is refunded once, at the earlier of two times
        _add_to_day(profile, at_ms=refunded_ms, orders=0, revenue=value)
    else:
        return
    known[2] = at_ms
    _add_to_day(profile, at_ms=at_ms, orders=0, revenue=-value)
    _trim_transactions(profile)


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


def _add_to_day(profile: ProfileState, *, at_ms: int, orders: int, revenue: int) -> None:
    days = profile.days
    sums = days.setdefault(at_ms // DAY_MS, [0, 0])
    sums[0] += orders
    sums[1] = saturated(sums[1] + revenue)
    if len(days) > 1:
        fold_old(days)


def fold_old(days: dict[int, list[int]]) -> None:
    """Move days beyond the exact ones into their week, and drop weeks beyond the longest window."""
    if not days:
        return
    newest = max(day if day >= 0 else -day * 7 for day in days)
    # A week is made only of days that have all left the exact ones; else the window of 90 days would count old ones.
    for day in [day for day in days if day >= 0 and day // 7 * 7 + 6 < newest - EXACT_DAYS]:
        old = days.pop(day)
        week = days.setdefault(-(day // 7), [0, 0])
        week[0] += old[0]
        week[1] = saturated(week[1] + old[1])
    for week_key in [key for key in days if key < 0 and -key * 7 + 6 < newest - KEEP_DAYS]:
        del days[week_key]


def _trim_transactions(profile: ProfileState) -> None:
    if len(profile.transactions) > KEEP_ORDERS:
        oldest = min(profile.transactions.items(), key=lambda pair: (pair[1][0], pair[0]))[0]
        del profile.transactions[oldest]
