"""The orders that a user's events are about: those that stand with this user, and those that stand with another.

An order is kept with one user key of its site, the first that reported it: its *owner*, whose profile counts it. What
another key reports of it goes to the owner as a report of its own (``Forwarding``), by way of the log. So a browser and
the shop's server report one order, though their events come to different workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from features.exceptions import OrdersNeeded
from features.state.orders import order as orders
from features.state.orders.order import Click, Order, Refund, refund_identity
from features.state.states import ProfileState
from tracking.contract.events import Purchase, Source
from tracking.contract.events import Refund as RefundEvent

Reported = Purchase | RefundEvent
REPORTED: Final = (Purchase, RefundEvent)
"""The kinds of events that are about an order."""


class Forwarding(NamedTuple):
    """What one user's events say of an order that stands with another user key.

    Attributes
    ----------
    owner : str
        User key of the order's owner.
    order : int
        Hash of its transaction id.
    event : Purchase or Refund, optional
        None when only clicks before the purchase came to light.
    clicks : tuple of Click
        Clicks in placements by whoever reports it.
    source : str
        Of the record that reported it.
    """

    owner: str
    order: int
    event: Reported | None
    clicks: tuple[Click, ...]
    source: Source


class OrderBook:
    """The orders of one user while its events are applied.

    Parameters
    ----------
    site, user_key : str
    stored : mapping of int to bytes or None, optional
        Orders as they were read, by the hash of their transaction ids; None for the mapping where there are none yet.
    owners : mapping of int to str
        Whom an order stands with that stands with somebody else.
    """

    def __init__(
        self,
        site: str,
        user_key: str,
        *,
        stored: Mapping[int, bytes | None] | None,
        owners: Mapping[int, str],
    ) -> None:
        self._site, self._user_key = site, user_key
        self._stored, self._owners = stored, owners
        self._open: dict[int, Order] = {}
        self.forwardings: list[Forwarding] = []

    def owner(self, order: int) -> str | None:
        """Return whom an order stands with, if that is somebody else.

        Raises
        ------
        OrdersNeeded
            It was not read.
        """
        self._check_read(order)
        return self._owners.get(order)

    def find(self, order: int, profile: ProfileState) -> Order:
        """Return an order of this user; it is written again when the batch is.

        Raises
        ------
        OrdersNeeded
            It was not read.
        """
        found = self._open.get(order)
        if found is None:
            self._check_read(order)
            blob = self._stored.get(order) if self._stored is not None else None
            found = orders.decode(blob) if blob else counted_before(profile, order)
            self._open[order] = found
        return found

    def forward(self, order: int, event: Reported | None, *, clicks: Iterable[Click], source: Source) -> None:
        """Tell the owner of an order what was said of it."""
        self.forwardings.append(Forwarding(self._owners[order], order, event, tuple(clicks), source))

    def written(self) -> dict[int, bytes]:
        """Return the orders that were looked at, as they are to be stored."""
        return {hashed: orders.encode(order) for hashed, order in self._open.items()}

    def _check_read(self, order: int) -> None:
        if self._stored is not None and order not in self._stored and order not in self._owners:
            raise OrdersNeeded([(self._site, self._user_key, order)])


def counted_before(profile: ProfileState, order: int) -> Order:
    """Return what a profile of version 0.1 knows of an order: its time and value, or that it was refunded."""
    known = profile.transactions.get(order, ())
    if len(known) < 3:
        return Order()
    at_ms, value, refunded_ms = known
    begun = Order()
    del profile.transactions[order]
    if value >= 0:
        begun.counted_before = [at_ms, value]
        profile.transactions[order] = [at_ms]
    if refunded_ms or value < 0:
        whole = Refund(is_named=False, rank=0)
        begun.refunds[refund_identity(whole, None)] = whole
    return begun
