"""Pure: what an order counts for, now that this is known of it; and what changes when more is known.

Counts move by the difference between two standings, so that nothing counts twice and everything can be taken back.

An order knows its amounts in its own currency. What it counts for is in the site's, by the factor of the day on which
it was placed, which it remembers (``settle``). Without a rate it stands *apart*: its amounts are summed under its
currency, and are in no sum of the site.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import msgspec

from features.definitions import ATTRIBUTION_WINDOW_MS, DAY_MS
from features.money import SiteMoney, bounded, exponent_of, saturated, times
from features.state import attribution, purchases, windows
from features.state.attribution import PlacementEffect
from features.state.orders.order import NO_AMOUNT, Order, Refund, currency_of, short_hash
from features.state.states import ProfileState
from features.state.windows import ItemEffect
from tracking.contract.mending.currencies import UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an order counts for.

    Attributes
    ----------
    at_ms : int
        When it was placed, by its earliest report.
    orders, units, value : int
        1 once the purchase is known; its pieces; its value before refunds, in minor units of the site's currency.
    refunds, refunded : int
        How many, and how much was given back: never more than ``value``.
    apart : str
        The currency that all amounts are in where no rate says what they are worth; else empty.
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
    apart: str = ""
    lines: dict[str, tuple[int, int]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


NOTHING = Standing()


def settle(order: Order, money: SiteMoney) -> None:
    """Let an order remember by what its amounts are converted now that this is known of it."""
    if order.is_placed and not order.counted_before:
        order.factor = money.factor(currency_of(_currency(order)), order.purchased_ms) or 0.0


def standing(order: Order, *, site_currency: str) -> Standing:
    """Return what the order counts for, by the factor that it remembers."""
    if not order.is_placed and not order.refunds:
        return NOTHING
    currency = _currency(order)
    if not order.is_placed:
        return _of_refunds_alone(order, site_currency)
    order = _in_one_unit(order, currency, site_currency)
    worth = {item_id: line.worth if _is_usable(line.currency, currency) else 0 for item_id, line in order.lines.items()}
    refunds = _distinct(list(order.refunds.values()), order, worth)
    if order.counted_before:
        at_ms, value = order.counted_before
        refunded = _refunded_money(refunds, order, worth, value=value, currency=currency)
        return Standing(at_ms=at_ms, orders=1, value=value, refunds=len(refunds), refunded=refunded)
    value = _value(order, worth, currency)
    refunded = _refunded_money(refunds, order, worth, value=value, currency=currency)
    lines = _lines_left(order, worth, refunds, value=value, refunded=refunded, currency=currency)
    factor = order.factor
    return Standing(
        at_ms=order.purchased_ms,
        orders=1,
        units=sum(line.quantity for line in order.lines.values()),
        value=times(value, factor or 1.0),
        refunds=len(refunds),
        refunded=times(refunded, factor or 1.0),
        apart="" if factor else currency_of(currency) or UNKNOWN,
        lines={item_id: (pieces, times(left, factor or 1.0)) for item_id, (pieces, left) in lines.items()},
        labels=_labels(order),
    )


def _of_refunds_alone(order: Order, site_currency: str) -> Standing:
    """Return what was given back of an order that nobody has reported: it may be older than everything that we know.

    It is what the refunds say, as long as nothing is known that it could exceed; of pieces without a price, and of a
    whole order, nobody knows the worth.
    """
    currency = max((refund.currency for refund in order.refunds.values()), default=0)
    refunds = _distinct(list(order.refunds.values()), order, {})
    refunded = bounded(sum(_usable_money(refund, order, {}, currency) for refund in refunds if not refund.is_whole))
    name = currency_of(currency)
    return Standing(refunds=len(refunds), refunded=refunded, apart="" if name in (None, site_currency) else name or "")


def move_profile(profile: ProfileState, order: int, before: Standing, after: Standing) -> None:
    """Let the profile of an order's owner count what it counts for now in place of what it did before."""
    profile.orders += after.orders - before.orders
    profile.units = saturated(profile.units + after.units - before.units)
    profile.refunds += after.refunds - before.refunds
    for sign, one in ((-1, before), (1, after)):
        if one.apart:
            purchases.add_apart(
                profile, one.apart, orders=sign * one.orders, value=sign * one.value, refunded=sign * one.refunded
            )
    counted_before, counted = _counted(before), _counted(after)
    profile.revenue = saturated(profile.revenue + counted[0] - counted_before[0])
    profile.refunded = saturated(profile.refunded + counted[1] - counted_before[1])
    if after.orders:
        purchases.note_newest(profile, order, at_ms=after.at_ms)
    days: dict[int, list[int]] = {}
    for sign, one in ((-1, before), (1, after)):
        if one.orders:
            sums = days.setdefault(one.at_ms, [0, 0])
            sums[0] += sign * one.orders
            value, refunded = _counted(one)
            sums[1] += sign * (value - refunded)
    for at_ms, (orders, revenue) in days.items():
        if orders or revenue:
            purchases.add_to_day(profile, at_ms=at_ms, orders=orders, revenue=revenue)


def item_effects(before: Standing, after: Standing) -> list[ItemEffect]:
    """Return what changes in the popularity of the order's items."""
    effects: list[ItemEffect] = []
    for item_id in {**before.lines, **after.lines}:
        old, new = _counted_line(before, item_id), _counted_line(after, item_id)
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
                of_money = attribution.apart_label(label_of_item, one.apart) if one.apart else label_of_item
                for label, metric, amount in (
                    (label_of_item, attribution.UNITS, units), (of_money, attribution.REVENUE, revenue)
                ):  # fmt: skip
                    key = (label, day, metric)
                    credit[key] = credit.get(key, 0) + sign * amount
    return [PlacementEffect(*key, amount) for key, amount in credit.items() if amount]


def _counted(one: Standing) -> tuple[int, int]:
    """Return the value and what was given back of it, as far as they are in the site's currency."""
    return (0, 0) if one.apart else (one.value, one.refunded)


def _counted_line(one: Standing, item_id: str) -> tuple[int, int]:
    pieces, worth = one.lines.get(item_id, (0, 0))
    return pieces, 0 if one.apart else worth


def _in_one_unit(order: Order, currency: int, site_currency: str) -> Order:
    """Return the order with amounts that name no currency in minor units of its own, not of the site's."""
    shift = exponent_of(currency_of(currency) or site_currency) - exponent_of(site_currency)
    if not shift:
        return order

    def moved(amount: int, code: int) -> int:
        return amount if code or amount == NO_AMOUNT else bounded(round(amount * Fraction(10) ** shift))

    lines = {
        item_id: msgspec.structs.replace(line, revenue=moved(line.revenue, line.currency))
        for item_id, line in order.lines.items()
    }
    values = [msgspec.structs.replace(value, amount=moved(value.amount, value.currency)) for value in order.values]
    refunds = {
        identity: msgspec.structs.replace(
            refund,
            amount=moved(refund.amount, refund.currency),
            lines=tuple((name, pieces, moved(worth, refund.currency)) for name, pieces, worth in refund.lines),
        )
        for identity, refund in order.refunds.items()
    }
    return msgspec.structs.replace(order, lines=lines, values=values, refunds=refunds)


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
