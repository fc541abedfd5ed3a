"""From a purchase or a refund of the log to what it says of its order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from features.money import bounded
from features.state import purchases
from features.state.orders.order import (
    NO_AMOUNT,
    RANKS,
    Click,
    Line,
    Order,
    Refund,
    Value,
    currency_code,
    refund_identity,
    short_hash,
)
from tracking.contract.events import EventItem, Purchase
from tracking.contract.events import Refund as RefundEvent

_UNPRICED: Final = (NO_AMOUNT, 0, 0, 0)

LabelOf = Callable[[str], "str | None"]
"""From a signed ``rec_id`` to the label of its placement."""


def purchase_report(
    event: Purchase, *, source: str, label_of: LabelOf, site_currency: str, clicks: Iterable[Click] = ()
) -> Order:
    """Return what a purchase says of its order.

    Parameters
    ----------
    source : str
        Of its record; see ``order.RANKS``.
    site_currency : str
        Whose minor units amounts are in that name no currency.
    clicks : iterable of Click
        In placements, by whoever reports it; later ones than the purchase are left out.
    """
    params, at_ms, rank = event.params, event.occurred_at_ms, RANKS[source]
    code, currency = currency_code(params.currency), params.currency or site_currency
    lines: dict[str, Line] = {}
    named: dict[str, tuple[int, str]] = {}
    for item in params.items:
        lines[item.item_id] = _with_pieces(lines.get(item.item_id), item, (rank, code), currency)
        label = label_of(item.rec_id) if item.rec_id else None
        if label is not None:
            named[item.item_id] = min((at_ms, label), named.get(item.item_id, (at_ms, label)))
    values = []
    if params.value is not None:
        names = tuple(sorted({short_hash(item_id) for item_id in lines}))
        values = [Value(rank, code, purchases.value_of((), params.value, currency), names)]
    return Order(
        purchased_ms=at_ms,
        lines=lines,
        values=values,
        clicks=[click for click in clicks if click[0] <= at_ms],
        named=named,
    )


def refund_report(event: RefundEvent, *, source: str, site_currency: str) -> Order:
    """Return what a refund says of its order; see ``purchase_report``."""
    params = event.params
    currency = params.currency or site_currency
    pieces: dict[str, tuple[int, int]] = {}
    for item in params.items:
        quantity, worth = pieces.get(item.item_id, (0, 0))
        line = purchases.line_value(item, currency) if item.price is not None else NO_AMOUNT
        worth = NO_AMOUNT if NO_AMOUNT in (line, worth) else worth + line
        pieces[item.item_id] = (quantity + item.quantity, worth)
    refund = Refund(
        is_named=params.refund_id is not None,
        rank=RANKS[source],
        amount=NO_AMOUNT if params.value is None else purchases.value_of((), params.value, currency),
        currency=currency_code(params.currency),
        lines=tuple((item_id, *pieces[item_id]) for item_id in sorted(pieces)),
    )
    return Order(refunds={refund_identity(refund, params.refund_id): refund})


def _with_pieces(line: Line | None, item: EventItem, by: tuple[int, int], currency: str) -> Line:
    rank, code = by
    price = _UNPRICED
    if item.price is not None:
        price = (rank, code, purchases.line_value(item, currency), item.quantity)
    if line is None:
        return Line(rank, item.quantity, *price)
    if item.price is None:
        return Line(rank, line.quantity + item.quantity, *_price_of(line))
    return Line(
        rank,
        line.quantity + item.quantity,
        *price[:2],
        bounded(line.revenue + price[2]),
        line.priced_quantity + price[3],
    )


def _price_of(line: Line) -> tuple[int, int, int, int]:
    return (line.price_rank, line.currency, line.revenue, line.priced_quantity)
