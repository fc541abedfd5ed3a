"""Pure: what an order counts for, now that this is known of it; and what changes when more is known.

Counts move by the difference between two standings, so that nothing counts twice and everything can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from features.definitions import ATTRIBUTION_WINDOW_MS, DAY_MS
from features.money import bounded, saturated
from features.state import attribution, purchases, windows
from features.state.attribution import PlacementEffect
from features.state.orders.order import NO_AMOUNT, Order, Refund, currency_of, short_hash
from features.state.states import ProfileState
from features.state.windows import ItemEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an order counts for.

    Attributes
    ----------
    at_ms : int
        When it was placed, by its earliest report.
    orders, units, value : int
        1 once the purchase is known; its pieces; its value in minor units of ``currency``. Before refunds.
    refunds, refunded : int
        How many, and how much was given back: never more than ``value``.
    lines : dict
        Item id → pieces and worth that are left after refunds.
    labels : dict
        Item id → placement that is credited with it.
    """

    at_ms: int = 0
    orders: int = 0
    units: int = 0
    value: int = 0
    refunds: int = 0
    refunded: int = 0
    currency: str | None = None
    lines: dict[str, tuple[int, int]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


NOTHING = Standing()


def standing(order: Order) -> Standing:
    """Return what the order counts for."""
    if not order.is_placed and not order.refunds:
        return NOTHING
    currency = _currency(order)
    worth = {item_id: line.worth if _is_usable(line.currency, currency) else 0 for item_id, line in order.lines.items()}
    refunds = _distinct(list(order.refunds.values()), order, worth)
    if not order.is_placed:
        return Standing(refunds=len(refunds))
    if order.counted_before:
        at_ms, value = order.counted_before
        refunded = _refunded_money(refunds, order, worth, value=value, currency=currency)
        return Standing(at_ms=at_ms, orders=1, value=value, refunds=len(refunds), refunded=refunded)
    value = _value(order, worth, currency)
    refunded = _refunded_money(refunds, order, worth, value=value, currency=currency)
    return Standing(
        at_ms=order.purchased_ms,
        orders=1,
        units=sum(line.quantity for line in order.lines.values()),
        value=value,
        refunds=len(refunds),
        refunded=refunded,
        currency=currency_of(currency),
        lines=_lines_left(order, worth, refunds, value=value, refunded=refunded, currency=currency),
        labels=_labels(order),
    )


def move_profile(profile: ProfileState, order: int, before: Standing, after: Standing) -> None:
    """Let the profile of an order's owner count what it counts for now in place of what it did before."""
    profile.orders += after.orders - before.orders
    profile.units = saturated(profile.units + after.units - before.units)
    profile.revenue = saturated(profile.revenue + after.value - before.value)
    profile.refunds += after.refunds - before.refunds
    profile.refunded = saturated(profile.refunded + after.refunded - before.refunded)
    if after.orders:
        purchases.note_newest(profile, order, at_ms=after.at_ms)
    days: dict[int, list[int]] = {}
    for sign, one in ((-1, before), (1, after)):
        if one.orders:
            sums = days.setdefault(one.at_ms, [0, 0])
            sums[0] += sign * one.orders
            sums[1] += sign * (one.value - one.refunded)
    for at_ms, (orders, revenue) in days.items():
        if orders or revenue:
            purchases.add_to_day(profile, at_ms=at_ms, orders=orders, revenue=revenue)


def item_effects(before: Standing, after: Standing) -> list[ItemEffect]:
    """Return what changes in the demand of the order's items."""
    effects: list[ItemEffect] = []
    for item_id in {**before.lines, **after.lines}:
        old = before.lines.get(item_id, (0, 0))
        new = after.lines.get(item_id, (0, 0))
        if before.at_ms == after.at_ms or old == (0, 0):
            moves: Iterable[tuple[int, int, int]] = ((after.at_ms, new[0] - old[0], new[1] - old[1]),)
        else:
            moves = ((before.at_ms, -old[0], -old[1]), (after.at_ms, *new))
        effects += [
            ItemEffect(item_id, at_ms, windows.PURCHASES, amount, revenue)
            for at_ms, amount, revenue in moves
            if amount or revenue
        ]
    return effects


def placement_effects(before: Standing, after: Standing) -> list[PlacementEffect]:
    """Return what changes in the credit of placements."""
    credit: dict[tuple[str, int, int], int] = {}
    for sign, one in ((-1, before), (1, after)):
        day = one.at_ms // DAY_MS
        for label in {one.labels[item_id] for item_id in one.lines if item_id in one.labels}:
            key = (label, day, attribution.ORDERS)
            credit[key] = credit.get(key, 0) + sign
        for item_id, (units, revenue) in one.lines.items():
            label_of_item = one.labels.get(item_id)
            if label_of_item is not None:
                for metric, amount in ((attribution.UNITS, units), (attribution.REVENUE, revenue)):
                    key = (label_of_item, day, metric)
                    credit[key] = credit.get(key, 0) + sign * amount
    return [PlacementEffect(*key, amount) for key, amount in credit.items() if amount]


def _currency(order: Order) -> int:
    said = [(value.rank, value.currency) for value in order.values]
    said += [(line.price_rank, line.currency) for line in order.lines.values()]
    return max((one for one in said if one[1]), default=(0, 0))[1]


def _is_usable(code: int, currency: int) -> bool:
    """Whether an amount is of the order's currency; one that names none is."""
    return code in (0, currency)


def _value(order: Order, worth: dict[str, int], currency: int) -> int:
    """Return the order's value: that of a report of all its items, else what is known of its parts."""
    names = {short_hash(item_id) for item_id in order.lines}
    usable = [value for value in order.values if _is_usable(value.currency, currency)]
    whole = [value for value in usable if not value.names or names <= set(value.names)]
    if whole:
        return max(whole).amount
    return bounded(max([sum(worth.values()), *(value.amount for value in usable)]))


def _distinct(refunds: Sequence[Refund], order: Order, worth: dict[str, int]) -> list[Refund]:
    """Return the refunds without those that are another one again, told in fewer words."""
    if not refunds:
        return []
    whole = [refund for refund in refunds if refund.is_whole][:1]
    named = [refund for refund in refunds if refund.is_named and not refund.is_whole]
    known = {refund.pieces for refund in named if refund.pieces}
    by_pieces: dict[tuple[tuple[str, int], ...], Refund] = {}
    for refund in refunds:
        if refund.lines and not refund.is_named and refund.pieces not in known:
            best = by_pieces.get(refund.pieces)
            by_pieces[refund.pieces] = refund if best is None else max(best, refund)
    with_pieces = [*named, *by_pieces.values()]
    amounts = {_money(refund, order, worth) for refund in with_pieces}
    bare = {
        refund.amount: refund
        for refund in sorted(refunds)
        if not refund.lines and not refund.is_whole and not refund.is_named and refund.amount not in amounts
    }
    return sorted([*whole, *with_pieces, *bare.values()])


def _money(refund: Refund, order: Order, worth: dict[str, int]) -> int:
    if refund.amount != NO_AMOUNT:
        return refund.amount
    return sum(_worth_of(refund, order, worth).values())


def _worth_of(refund: Refund, order: Order, worth: dict[str, int]) -> dict[str, int]:
    """Return what the refund's pieces are worth: as it says, else their share of the line."""
    found: dict[str, int] = {}
    for item_id, quantity, said in refund.lines:
        line = order.lines.get(item_id)
        if said != NO_AMOUNT:
            found[item_id] = said
        elif line is not None and line.quantity:
            found[item_id] = worth[item_id] * min(quantity, line.quantity) // line.quantity
        else:
            found[item_id] = 0
    return found


def _usable_money(refund: Refund, order: Order, worth: dict[str, int], currency: int) -> int:
    if _is_usable(refund.currency, currency):
        return _money(refund, order, worth)
    bare = Refund(
        is_named=False, rank=0, lines=tuple((item_id, pieces, NO_AMOUNT) for item_id, pieces in refund.pieces)
    )
    return sum(_worth_of(bare, order, worth).values())


def _refunded_money(
    refunds: Sequence[Refund], order: Order, worth: dict[str, int], *, value: int, currency: int
) -> int:
    if any(refund.is_whole for refund in refunds):
        return value
    return min(value, sum(_usable_money(refund, order, worth, currency) for refund in refunds))


def _lines_left(
    order: Order, worth: dict[str, int], refunds: Sequence[Refund], *, value: int, refunded: int, currency: int
) -> dict[str, tuple[int, int]]:
    if not refunds:
        return {item_id: (order.lines[item_id].quantity, worth[item_id]) for item_id in sorted(order.lines)}
    if any(refund.is_whole for refund in refunds):
        return dict.fromkeys(sorted(order.lines), (0, 0))
    pieces = {item_id: line.quantity for item_id, line in order.lines.items()}
    left = dict(worth)
    spread = 0
    for refund in refunds:
        for item_id, quantity in refund.pieces:
            if item_id in pieces:
                pieces[item_id] = max(0, pieces[item_id] - quantity)
        money = _usable_money(refund, order, worth, currency)
        shares = {
            item_id: min(amount, worth[item_id])
            for item_id, amount in _worth_of(refund, order, worth).items()
            if item_id in left
        }
        spread += money - _take(left, shares, money)
    if refunded >= value:
        return {item_id: (pieces[item_id], 0) for item_id in sorted(pieces)}
    _take(left, dict(left), spread)
    return {item_id: (pieces[item_id], left[item_id]) for item_id in sorted(pieces)}


def _take(left: dict[str, int], shares: dict[str, int], money: int) -> int:
    """Take ``money`` from the lines in proportion to ``shares``, of none more than is left; return what was taken."""
    total = sum(shares.values())
    wanted = min(money, total)
    taken = done = weight = 0
    for item_id in sorted(shares):
        weight += shares[item_id]
        upto = wanted * weight // total if total else 0
        share = min(upto - done, left[item_id])
        done = upto
        left[item_id] -= share
        taken += share
    return taken


def _labels(order: Order) -> dict[str, str]:
    """Return which placement gets the credit for each item: the one that the purchase names, else the last click."""
    labels = {item_id: label for item_id, (_, label) in order.named.items() if item_id in order.lines}
    for at_ms, item_id, label in reversed(order.clicks):  # newest first
        if item_id in order.lines and at_ms + ATTRIBUTION_WINDOW_MS >= order.purchased_ms:
            labels.setdefault(item_id, label)
    return labels
