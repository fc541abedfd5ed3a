"""What is known of one order of a site, and how reports of it become one.

An order is reported by the page, by the page again when it is reloaded, by the shop's server, by an import, by whoever
sends twice; its refunds come from anywhere, before it or after. Joining two orders is commutative, associative and
idempotent: in whatever order reports come, in whatever groups and however often, the same is known in the end. Of two
that contradict each other, the shop's server counts before an import, and an import before a page; then the
greater.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

import msgspec
from msgspec import Struct, field

from features.definitions import ORDER_TTL_S, SHORTEST_ORDER_TTL_S
from features.exceptions import UnknownState
from tracking.contract.events import MAX_ITEMS
from tracking.contract.mending.currencies import CURRENCIES, UNKNOWN

VERSION: Final = 1
KEEP_LINES: Final = 2 * MAX_ITEMS
KEEP_VALUES: Final = 8
KEEP_REFUNDS: Final = 32
KEEP_CLICKS: Final = 16
NO_AMOUNT: Final = -1

RANKS: Final = {"browser": 0, "import": 1, "server": 2}
"""Which report counts, by the source of its record: the greatest."""

Click = tuple[int, str, str]
"""Time, item id, label of the placement."""


class Line(Struct, array_like=True, frozen=True):
    """An item of an order: how many pieces, and what some pieces of it were worth, each by the report that counts."""

    rank: int
    quantity: int
    price_rank: int = NO_AMOUNT
    currency: int = 0
    revenue: int = 0
    priced_quantity: int = 0

    def joined(self, other: Line) -> Line:
        """Return what both say."""
        rank, quantity = max((self.rank, self.quantity), (other.rank, other.quantity))
        return Line(rank, quantity, *max(self._price, other._price))

    @property
    def _price(self) -> tuple[int, int, int, int]:
        return (self.price_rank, self.currency, self.revenue, self.priced_quantity)

    @property
    def worth(self) -> int:
        """What all pieces are worth, in minor units; 0 where nobody said."""
        if self.priced_quantity in (0, self.quantity):
            return self.revenue
        return (2 * self.revenue * self.quantity + self.priced_quantity) // (2 * self.priced_quantity)


class Value(Struct, array_like=True, frozen=True, order=True):
    """The value that reports with the same items gave the order, in minor units of ``currency``."""

    rank: int
    currency: int
    amount: int
    names: tuple[int, ...]  # short hashes of the items, ascending


class Refund(Struct, array_like=True, frozen=True, order=True):
    """Pieces or an amount given back; neither means everything. One with an id of its own differs from all others."""

    is_named: bool
    rank: int
    amount: int = NO_AMOUNT  # minor units
    currency: int = 0
    lines: tuple[tuple[str, int, int], ...] = ()  # item id, pieces, their worth or NO_AMOUNT; by item id

    @property
    def is_whole(self) -> bool:
        """Whether it gives everything back."""
        return not self.lines and self.amount == NO_AMOUNT

    @property
    def pieces(self) -> tuple[tuple[str, int], ...]:
        """What it gives back, whatever it was worth."""
        return tuple((item_id, quantity) for item_id, quantity, _ in self.lines)


class Order(Struct, array_like=True, kw_only=True):
    """One order of a site; changed in place by ``join``.

    Attributes
    ----------
    purchased_ms : int
        Event time of the earliest report of the purchase; 0 while only refunds are known.
    lines : dict
        By item id.
    values : list of Value
        One for each set of items that came with a value; the greatest few.
    refunds : dict
        By the hash of what makes a refund itself.
    clicks : list of Click
        Clicks in placements before the purchase, of everybody who reported it; newest last.
    named : dict
        Item id → time and label of the placement that the purchase itself names.
    counted_before : list of int
        ``[time, value]`` of an order that version 0.1 counted without knowing its lines.
    factor : float
        By which its amounts were converted when it was last counted, so that exactly that can be taken back; 0 where
        there was no rate and it counted apart. Not joined: it is nothing that a report says.
    """

    purchased_ms: int = 0
    lines: dict[str, Line] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    refunds: dict[int, Refund] = field(default_factory=dict)
    clicks: list[Click] = field(default_factory=list)
    named: dict[str, tuple[int, str]] = field(default_factory=dict)
    counted_before: list[int] = field(default_factory=list)
    factor: float = 1.0

    @property
    def is_placed(self) -> bool:
        """Whether the purchase itself was reported."""
        return bool(self.purchased_ms or self.counted_before)


def join(order: Order, other: Order) -> None:
    """Let ``order`` know what ``other`` knows of the same order."""
    times = [at_ms for at_ms in (order.purchased_ms, other.purchased_ms) if at_ms]
    order.purchased_ms = min(times, default=0)
    for item_id, line in other.lines.items():
        known = order.lines.get(item_id)
        order.lines[item_id] = line if known is None else known.joined(line)
    if len(order.lines) > KEEP_LINES:
        ranked = sorted(order.lines, key=lambda item_id: (order.lines[item_id].rank, item_id))
        order.lines = {item_id: order.lines[item_id] for item_id in ranked[-KEEP_LINES:]}
    if other.values:
        order.values = _joined_values([*order.values, *other.values])
    for identity, refund in other.refunds.items():
        known_refund = order.refunds.get(identity)
        order.refunds[identity] = refund if known_refund is None else max(known_refund, refund)
    if len(order.refunds) > 1:
        order.refunds = _greatest(order.refunds)
    for item_id, name in other.named.items():
        known_name = order.named.get(item_id)
        order.named[item_id] = name if known_name is None else min(known_name, name)
    if order.clicks or other.clicks:
        latest_ms = order.purchased_ms or max(click[0] for click in (*order.clicks, *other.clicks))
        clicks = {click for click in (*order.clicks, *other.clicks) if click[0] <= latest_ms}
        order.clicks = sorted(clicks)[-KEEP_CLICKS:]
    order.counted_before = max(order.counted_before, other.counted_before)


def _joined_values(values: list[Value]) -> list[Value]:
    by_names: dict[tuple[int, ...], Value] = {}
    for value in values:
        known = by_names.get(value.names)
        by_names[value.names] = value if known is None else max(known, value)
    kept = sorted(by_names.values(), key=lambda value: (value.rank, len(value.names), value))
    return sorted(kept[-KEEP_VALUES:])


def _greatest(refunds: dict[int, Refund]) -> dict[int, Refund]:
    """Return as many refunds as are kept, those that give most back first."""
    kept: dict[int, Refund] = {}
    lines = 0
    ranked = sorted(refunds.items(), key=lambda pair: (pair[1].is_whole, pair[1], pair[0]), reverse=True)
    for identity, refund in ranked[:KEEP_REFUNDS]:
        lines += len(refund.lines)
        if kept and lines > KEEP_LINES:
            break
        kept[identity] = refund
    return kept


def short_hash(item_id: str) -> int:
    """Return the 32 bits by which a value knows its items."""
    return zlib.crc32(item_id.encode())


def refund_identity(refund: Refund, refund_id: str | None) -> int:
    """Return what tells a refund from the others of its order: its own id, or what it gives back."""
    said = f"id:{refund_id}" if refund_id else f"of:{refund.amount}:{refund.currency}:{refund.lines!r}"
    return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8).digest(), "little")


def currency_code(currency: str | None) -> int:
    """Return a currency as a small number that sorts and packs well; 0 where none is named.

    Codes that ISO 4217 gives no minor unit are ``UNKNOWN``: they are never converted, and are to be few.
    """
    code = 0
    for letter in (currency if currency in CURRENCIES else UNKNOWN) if currency else "":
        code = code * 27 + ord(letter) - 64
    return code


def currency_of(code: int) -> str | None:
    """Return the currency that ``currency_code`` made a number of."""
    letters = ""
    while code:
        code, letter = divmod(code, 27)
        letters = chr(letter + 64) + letters
    return letters or None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Order)


def encode(order: Order) -> bytes:
    """Return an order as it stands in Redis; equal for equal knowledge."""
    for name in ("lines", "refunds", "named"):
        setattr(order, name, dict(sorted(getattr(order, name).items())))
    return bytes([VERSION]) + _ENCODER.encode(order)


class _Placed(Struct, array_like=True):
    purchased_ms: int = 0


_DECODE_PLACED: Final = msgspec.msgpack.Decoder(_Placed).decode


def ttl_s(blob: bytes, *, now_ms: int) -> int:
    """Return for how long a stored order is to be kept."""
    return ttl_of(_DECODE_PLACED(memoryview(blob)[1:]).purchased_ms, now_ms=now_ms)


def ttl_of(purchased_ms: int, *, now_ms: int) -> int:
    """Return for how long an order is to be kept that was placed then, or at some time that is not known (0)."""
    left_s = ORDER_TTL_S if not purchased_ms else ORDER_TTL_S - (now_ms - purchased_ms) // 1_000
    return min(ORDER_TTL_S, max(SHORTEST_ORDER_TTL_S, left_s))


def decode(blob: bytes | None) -> Order:
    """Return the order in ``blob``, or one of which nothing is known.

    Raises
    ------
    UnknownState
        A newer version of this program wrote it.
    """
    if not blob:
        return Order()
    if blob[0] > VERSION:
        raise UnknownState(
            f"an order has version {blob[0]}, this program reads up to {VERSION}: "
            "run the newer program, or rebuild the states with `manage.py replay`"
        )
    return _DECODER.decode(memoryview(blob)[1:])
