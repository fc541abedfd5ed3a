"""Pure: what each kind of event does to the states of its user, and to items and placements.

A handler changes the states it is given in place (see ``states``); whether its event counts at all was decided before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from features.definitions import (
    DAY_MS,
    KEEP_BOUGHT,
    KEEP_PROFILE_RECENTS,
    KEEP_SEARCHES,
    KEEP_SESSION_RECENTS,
    PROFILE,
    SEARCH_TERM_CHARS,
    Field,
)
from features.money import MoneyOfSite, SiteMoney
from features.state import attribution, cart, purchases, recents, windows
from features.state.attribution import PlacementEffect
from features.state.counting import votes
from features.state.experiments import exposures
from features.state.experiments.sums import ArmSums, take_in
from features.state.identity import attributes
from features.state.orders import standing as counting
from features.state.orders.book import Forwarding, OrderBook, Reported
from features.state.orders.order import Order, join
from features.state.orders.reports import purchase_report, refund_report
from features.state.states import ProfileState, SessionState
from features.state.windows import ItemEffect
from tracking.contract import events as contract
from tracking.contract.events import CustomEvent, Event, Source

VIEW, SELECT, ADD_TO_CART, WISH, PURCHASE = "v", "s", "c", "w", "p"
KINDS: Final = {VIEW: "view", SELECT: "select", ADD_TO_CART: "cart", WISH: "wishlist", PURCHASE: "purchase"}


@dataclass(slots=True)
class Effects:
    """What the events of a user do beyond the user's own states, and how they were counted."""

    items: list[ItemEffect] = field(default_factory=list)
    placements: list[PlacementEffect] = field(default_factory=list)
    arms: dict[str, ArmSums] = field(default_factory=dict)  # by experiment
    orders: dict[int, bytes] = field(default_factory=dict)
    forwardings: list[Forwarding] = field(default_factory=list)
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    is_fully_loaded: bool = True

    def add(self, other: Effects) -> None:
        """Take the effects of further events in."""
        self.items += other.items
        self.placements += other.placements
        for experiment, sums in other.arms.items():
            take_in(self.arms.setdefault(experiment, {}), sums)
        self.orders |= other.orders
        self.forwardings += other.forwardings
        self.applied += other.applied
        self.duplicate += other.duplicate
        self.late += other.late
        self.is_fully_loaded = other.is_fully_loaded


@dataclass(slots=True)
class Context:
    """What a handler may change: the states of one user, and the effects of the batch."""

    session: SessionState
    profile: ProfileState
    effects: Effects
    book: OrderBook
    site: str
    source: Source
    lateness_ms: int
    money_of: MoneyOfSite
    margins: Mapping[str, float] = field(default_factory=dict)

    user_id: str | None = None  # of the record, vouched for by the shop's server
    network: int = 0  # tag of the visitor's network
    voice: int = 0  # of that network, the same on all days

    @property
    def money(self) -> SiteMoney:
        """The site's currency and rates; only what is about amounts needs them."""
        return self.money_of(self.site)

    def remember(self, kind: str, item_id: str, at_ms: int) -> None:
        """Note an interaction with an item among the recents."""
        name = kind + item_id
        recents.note(self.session.recents, self.session.repeats, name, at_ms, keep=KEEP_SESSION_RECENTS)
        recents.remember(self.profile.recents, name, at_ms, keep=KEEP_PROFILE_RECENTS)

    def count(self, item_id: str, at_ms: int, metric: int, *, amount: int = 1) -> None:
        """Count an interaction with an item, and its user as a visitor of it."""
        self.effects.items.append(ItemEffect(item_id, at_ms, metric, amount, 0, self.network, self.voice))
        self.count_visitor(item_id, at_ms, metric)

    def count_visitor(self, item_id: str, at_ms: int, metric: int) -> None:
        """Count the user as a visitor of an item."""
        oldest_ms = self.profile.newest_ms - self.lateness_ms
        changes = votes.cast(self.profile.votes, item_id=item_id, kind=metric, at_ms=at_ms, oldest_ms=oldest_ms)
        self._change_visitors(item_id, metric, changes)

    def _move_buyer(self, item_id: str, had_ms: int | None, has_ms: int | None) -> None:
        """Count the owner of an order as a buyer from when the item was bought; None where nothing of it is left."""
        own, kind = self.profile.votes, windows.PURCHASES
        oldest_ms = self.profile.newest_ms - self.lateness_ms
        changes: tuple[votes.VoteChange, ...] = ()
        if had_ms is not None:
            changes += votes.withdraw(own, item_id=item_id, kind=kind, at_ms=had_ms)
        if has_ms is not None:
            changes += votes.cast(
                own, item_id=item_id, kind=kind, at_ms=has_ms, oldest_ms=oldest_ms, may_be_withdrawn=True
            )
        self._change_visitors(item_id, kind, changes)

    def _change_visitors(self, item_id: str, kind: int, changes: Iterable[votes.VoteChange]) -> None:
        self.effects.items += [
            ItemEffect(item_id, change.at_ms, windows.FIRST_OF_VISITORS + kind, change.amount, 0) for change in changes
        ]
        if kind == windows.VIEWS:
            self.effects.items += [
                ItemEffect(item_id, change.at_ms, windows.REGULARS, change.amount, 0)
                for change in changes
                if self.user_id is not None or self.profile.first_ms <= change.at_ms - DAY_MS
            ]

    def touch(self, item_id: str, at_ms: int, label: str | None) -> None:
        """Note a click in a placement, if it was in one."""
        if label is None:
            return
        click = (at_ms, item_id, label)
        if click not in self.profile.touches:
            self.effects.placements += attribution.add_touch(self.profile, click)
            for order in attribution.orders_after(self.profile, at_ms):
                self.report(order, None, Order(clicks=[click]))

    def report(self, order: int, event: Reported | None, said: Order) -> None:
        """Let an order know what was said of it, wherever it stands."""
        if self.book.owner(order) is not None:
            self.book.forward(order, event, clicks=said.clicks, source=self.source)
            return
        known, money = self.book.find(order, self.profile), self.money
        before = counting.standing(known, site_currency=money.currency)
        join(known, said)
        counting.settle(known, money)
        after = counting.standing(known, site_currency=money.currency)
        if before == after:
            return
        counting.move_profile(self.profile, order, before, after)
        exposures.move_order(
            self.profile, order, before, after, margins=(self._margin(before), self._margin(after)),
            oldest_ms=self.profile.newest_ms - self.lateness_ms,
        )  # fmt: skip
        self.effects.items += counting.item_effects(before, after)
        self.effects.placements += counting.placement_effects(before, after)
        for item_id in {**before.lines, **after.lines}:
            had, has = (one.at_ms if one.lines.get(item_id, (0, 0))[0] else None for one in (before, after))
            if had != has:
                self._move_buyer(item_id, had, has)

    def expose(self, rec_id: str | None, at_ms: int, **figures: int) -> None:
        """Note that the user saw a list, and in which arms of experiments; ``figures`` are what it did there."""
        for experiment, arm in attribution.arms_of(self.site, rec_id):
            if exposures.expose(self.profile, exposures.Membership(experiment, arm), at_ms):
                for name, amount in figures.items():
                    exposures.add(self.profile, experiment, exposures.FIGURES.index(name), amount)

    def _margin(self, standing: counting.Standing) -> int:
        """Return what is left of an order after the cost of its items, in minor units, as far as costs are known."""
        margins = self.margins
        return round(sum(worth * margins.get(item_id, 0.0) for item_id, (_, worth) in standing.lines.items()))

    def label_of(self, rec_id: str | None) -> str | None:
        """Return the label of the list that a reply of ours filled."""
        return attribution.label_of(self.site, item_list_id=None, rec_id=rec_id)

    def convert(self, conversions: list[attribution.Conversion]) -> None:
        """Credit the clicks before what went into the cart or was bought."""
        self.effects.placements += attribution.add_conversions(
            self.profile, conversions, newest_ms=self.profile.newest_ms, lateness_ms=self.lateness_ms
        )


def _view_item_list(context: Context, event: contract.ViewItemList) -> None:
    params = event.params
    label = attribution.label_of(context.site, item_list_id=params.item_list_id, rec_id=params.rec_id)
    if label is not None:
        day = event.occurred_at_ms // DAY_MS
        context.effects.placements += [
            PlacementEffect(label, day, attribution.LISTS, 1),
            PlacementEffect(label, day, attribution.IMPRESSIONS, len(params.items)),
        ]
    if params.rec_id:
        context.expose(params.rec_id, event.occurred_at_ms, lists=1, impressions=len(params.items))


def _select_item(context: Context, event: contract.SelectItem) -> None:
    at_ms = event.occurred_at_ms
    params = event.params
    for item in params.items:
        context.remember(SELECT, item.item_id, at_ms)
        label = attribution.label_of(
            context.site, item_list_id=params.item_list_id, rec_id=item.rec_id or params.rec_id
        )
        if label is not None:
            context.effects.placements.append(PlacementEffect(label, at_ms // DAY_MS, attribution.CLICKS, 1))
            context.touch(item.item_id, at_ms, label)
            context.expose(item.rec_id or params.rec_id, at_ms, clicks=1)


def _view_item(context: Context, event: contract.ViewItem) -> None:
    at_ms = event.occurred_at_ms
    for item in event.params.items:
        item_id = item.item_id
        context.remember(VIEW, item_id, at_ms)
        context.count(item_id, at_ms, windows.VIEWS)


def _add_to_cart(context: Context, event: contract.AddToCart) -> None:
    at_ms = event.occurred_at_ms
    for item in event.params.items:
        context.remember(ADD_TO_CART, item.item_id, at_ms)
        cart.put(context.profile, item.item_id, at_ms=at_ms, quantity=item.quantity)
        context.count(item.item_id, at_ms, windows.CARTS, amount=item.quantity)
        if item.rec_id:
            context.touch(item.item_id, at_ms, context.label_of(item.rec_id))
            context.expose(item.rec_id, at_ms)
        exposures.add_carts(context.profile, item.quantity, at_ms=at_ms)
    context.convert([(at_ms, item.item_id, attribution.CART, item.quantity, 0, 0) for item in event.params.items])


def _remove_from_cart(context: Context, event: contract.RemoveFromCart) -> None:
    for item in event.params.items:
        cart.put(context.profile, item.item_id, at_ms=event.occurred_at_ms, quantity=0)


def _see_cart(context: Context, event: contract.ViewCart | contract.BeginCheckout) -> None:
    at_ms = event.occurred_at_ms
    if event.params.items:
        cart.clear(context.profile, at_ms=at_ms, with_that_time=False)
        for item in event.params.items:
            cart.put(context.profile, item.item_id, at_ms=at_ms, quantity=item.quantity)


def _add_to_wishlist(context: Context, event: contract.AddToWishlist) -> None:
    for item in event.params.items:
        context.remember(WISH, item.item_id, event.occurred_at_ms)


def _purchase(context: Context, event: contract.Purchase) -> None:
    profile, at_ms = context.profile, event.occurred_at_ms
    cart.clear(profile, at_ms=at_ms, with_that_time=True)
    for item in event.params.items:
        context.remember(PURCHASE, item.item_id, at_ms)
        # When and with whom the order stands is found by its book; the network is that of who reports it now.
        context.effects.items.append(
            ItemEffect(item.item_id, at_ms, windows.PURCHASES, 0, 0, context.network, context.voice)
        )
        recents.remember(profile.bought, item.item_id, at_ms, keep=KEEP_BOUGHT)
    order = purchases.hash64(event.params.transaction_id)
    context.report(
        order,
        event,
        purchase_report(
            event,
            source=context.source,
            label_of=context.label_of,
            site_currency=context.money.currency,
            clicks=profile.touches,
        ),
    )
    attribution.note_order(profile, order, at_ms=at_ms, newest_ms=profile.newest_ms, lateness_ms=context.lateness_ms)


def _refund(context: Context, event: contract.Refund) -> None:
    order = purchases.hash64(event.params.transaction_id)
    said = refund_report(event, source=context.source, site_currency=context.money.currency)
    context.report(order, event, said)


def apply_forwarded(context: Context, record: contract.EventRecord, forwarded: contract.Forwarded) -> None:
    """Let an order know what another user key said of it; nothing else of this user is touched."""
    event = record.events[0] if record.events else None
    clicks = [(click.occurred_at_ms, click.item_id, click.label) for click in forwarded.clicks]
    if isinstance(event, contract.Purchase):
        said = purchase_report(
            event, source=record.source, label_of=context.label_of, site_currency=context.money.currency
        )
        said.clicks = clicks
    elif isinstance(event, contract.Refund):
        said = refund_report(event, source=record.source, site_currency=context.money.currency)
    else:
        said, event = Order(clicks=clicks), None
    context.report(forwarded.order, event, said)


def _identify(context: Context, event: contract.Identify) -> None:
    """Keep what is said of the user whose record this is; of another one, nothing was proven."""
    if event.params.user_id == context.user_id and event.params.traits:
        attributes.note(
            context.profile.attributes,
            event.params.traits,
            at_ms=event.occurred_at_ms,
            is_server=context.source != "browser",
        )


def _search(context: Context, event: contract.Search) -> None:
    term = " ".join(event.params.search_term.lower().split())[:SEARCH_TERM_CHARS]
    recents.remember(context.session.searches, term, event.occurred_at_ms, keep=KEEP_SEARCHES)


HANDLERS: Final[dict[type, Callable[[Context, Any], None]]] = {
    contract.ViewItemList: _view_item_list,
    contract.SelectItem: _select_item,
    contract.ViewItem: _view_item,
    contract.AddToCart: _add_to_cart,
    contract.RemoveFromCart: _remove_from_cart,
    contract.ViewCart: _see_cart,
    contract.BeginCheckout: _see_cart,
    contract.AddToWishlist: _add_to_wishlist,
    contract.Purchase: _purchase,
    contract.Refund: _refund,
    contract.Search: _search,
    contract.Identify: _identify,
}

# --- counts that definitions declare; those of version 0.1 have fields of their own in a profile -------------------

_NAMES: Final = {kind: str(kind.__struct_config__.tag) for kind in get_args(Event)}
_OWN_FIELDS: Final = frozenset(ProfileState.__struct_fields__)

Moves = dict[str, tuple[tuple[str, bool, bool], ...]]  # event → (count, per item?, a field of its own?)


def moves_of(fields: Iterable[Field]) -> Moves:
    """Return what each event moves, by the event's name."""
    moves: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for one in fields:
        if one.counts is not None:
            moves[one.counts.event].append((one.name, one.counts.per == "item", one.name in _OWN_FIELDS))
    return {event: tuple(counts) for event, counts in moves.items()}


MOVED_COUNTS: Final = moves_of(PROFILE.fields)
DECLARED_COUNTS: Final = tuple(one.name for one in PROFILE.fields if one.counts is not None)


def count_event(profile: ProfileState, event: Event | CustomEvent, moves: Moves = MOVED_COUNTS) -> None:
    """Count an event wherever it is declared to count; events of the shop's own have no items."""
    name = event.event if isinstance(event, CustomEvent) else _NAMES[type(event)]
    for count, is_per_item, is_own in moves.get(name, ()):
        amount = _n_items(event) if is_per_item else 1
        if is_own:
            setattr(profile, count, getattr(profile, count) + amount)
        else:
            profile.counts[count] = profile.counts.get(count, 0) + amount


def _n_items(event: Event | CustomEvent) -> int:
    return 0 if isinstance(event, CustomEvent) else len(getattr(event.params, "items", ()))


def read_count(profile: ProfileState, name: str) -> int:
    """Return one declared count of a profile."""
    value: int = getattr(profile, name) if name in _OWN_FIELDS else profile.counts.get(name, 0)
    return value
