"""Pure: the states of one user and its events → the new states and what they do to items and placements.

Whatever order events arrive in within the allowed lateness, and however often, the result means the same. Three
things make it so: an event id counts once; sums are of whole numbers; and of everything that can be pushed out,
the newest by event time stay. A property test holds it (``tests/features/test_order.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from features import activity, attribution, cart, merging, purchases, recents, states, windows
from features.attribution import PlacementEffect
from features.definitions import (
    DAY_MS,
    KEEP_ALIASES,
    KEEP_BOUGHT,
    KEEP_PROFILE_RECENTS,
    KEEP_SEARCHES,
    KEEP_SEEN,
    KEEP_SESSION_RECENTS,
    SEARCH_TERM_CHARS,
)
from features.states import ProfileState, SessionState
from features.windows import ItemEffect
from tracking import events as contract
from tracking.events import EventRecord

PRUNE_SEEN_ABOVE: Final = 32
"""Ids older than the lateness window are dropped when there are more than that: seldom, and never too many."""

VIEW, SELECT, ADD_TO_CART, WISH, PURCHASE = "v", "s", "c", "w", "p"
KINDS: Final = {VIEW: "view", SELECT: "select", ADD_TO_CART: "cart", WISH: "wishlist", PURCHASE: "purchase"}


@dataclass(slots=True)
class Effects:
    """What the events of a user do beyond the user's own states, and how they were counted."""

    items: list[ItemEffect] = field(default_factory=list)
    placements: list[PlacementEffect] = field(default_factory=list)
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    is_whole: bool = True

    def add(self, other: Effects) -> None:
        """Take the effects of further events in."""
        self.items += other.items
        self.placements += other.placements
        self.applied += other.applied
        self.duplicate += other.duplicate
        self.late += other.late
        self.is_whole = other.is_whole


@dataclass(slots=True, frozen=True)
class Past:
    """The database's answer for a user that Redis did not know; ``None`` when it does not know it either."""

    blob: bytes | None


class Arrival(NamedTuple):
    """A record of the log and the event time before which its events are too late."""

    record: EventRecord
    oldest_ms: int


def apply_events(
    session_blob: bytes | None,
    profile_blob: bytes | None,
    arrivals: Iterable[Arrival],
    *,
    lateness_ms: int,
    erased_until_ms: int = 0,
    new_is_whole: bool = True,
    past: Past | None = None,
) -> tuple[bytes, bytes, Effects]:
    """Return the new session and profile of one user and the effects of its events.

    Parameters
    ----------
    session_blob, profile_blob : bytes or None
        The states as stored; ``None`` when Redis holds none.
    arrivals : iterable of Arrival
        Records of this user, in the order of the log.
    erased_until_ms : int
        The user had everything up to this time erased: it counts as seen.
    new_is_whole : bool
        Nothing outlived a profile that Redis does not know.
    past : Past, optional
        What the database knows of a profile that was begun without its past.

    Raises
    ------
    UnknownState
        A stored state is of a version that this program cannot read.
    """
    session = states.decode_session(session_blob)
    profile = states.decode_profile(profile_blob)
    effects = Effects()
    if profile_blob is None:
        profile.is_whole = new_is_whole
    if past is not None and not profile.is_whole:
        profile = merging.merged(states.decode_profile(past.blob), profile)
    for arrival in arrivals:
        _apply_record(session, profile, arrival, effects, lateness_ms, erased_until_ms)
    effects.is_whole = profile.is_whole
    return states.encode(session), states.encode(profile), effects


def _apply_record(
    session: SessionState,
    profile: ProfileState,
    arrival: Arrival,
    effects: Effects,
    lateness_ms: int,
    erased_until_ms: int,
) -> None:
    record = arrival.record
    is_import = record.source == "import"
    seen = profile.seen_import if is_import else profile.seen
    until_s = profile.seen_import_until_s if is_import else profile.seen_until_s
    oldest_ms = max(arrival.oldest_ms, erased_until_ms + 1)
    lateness_s = lateness_ms // 1_000 + 1
    context = _Context(session, profile, effects, record.site, lateness_ms)
    # Custom events move no feature, but they are counted as any other, so that the ledger balances.
    for event in (*record.events, *record.custom):
        at_ms = event.occurred_at_ms
        at_s = at_ms // 1_000
        hashed = int.from_bytes(hashlib.blake2b(event.event_id.encode(), digest_size=8).digest(), "little")
        if hashed in seen:
            effects.duplicate += 1
            continue
        if at_ms < oldest_ms or at_s <= until_s:
            effects.late += 1
            continue
        seen[hashed] = at_s
        if len(seen) > PRUNE_SEEN_ABOVE:
            until_s = _prune_seen(seen, until_s=until_s, lateness_s=lateness_s)
        if profile.newest_ms < at_ms:
            profile.newest_ms = at_ms
        if at_ms < profile.first_ms or not profile.first_ms:
            profile.first_ms = at_ms
        if session.newest_ms < at_ms:
            session.newest_ms = at_ms
        if event.session_number is not None and event.session_number > profile.session_number:
            profile.session_number = event.session_number
        activity.add_activity(profile.sessions, at_ms)
        if record.user_id and record.anonymous_id:
            recents.remember(profile.aliases, record.anonymous_id, at_ms, keep=KEEP_ALIASES)
        effects.applied += 1
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            handle(context, event)
    if is_import:
        profile.seen_import_until_s = until_s
    else:
        profile.seen_until_s = until_s


def _prune_seen(seen: dict[int, int], *, until_s: int, lateness_s: int) -> int:
    """Forget ids that are too late to come again; beyond ``KEEP_SEEN`` of them, refuse what is as old as the oldest.

    That bounds a state at the price of order: of a user with more than ``KEEP_SEEN`` events in the window, an event
    that was overtaken by so many others counts as late. Nothing is ever counted twice.
    """
    oldest_s = max(seen.values()) - lateness_s
    for hashed in [hashed for hashed, at_s in seen.items() if at_s < oldest_s]:
        del seen[hashed]
    if len(seen) > KEEP_SEEN:
        times = sorted(seen.values())
        until_s = max(until_s, times[len(times) - KEEP_SEEN // 2 - 1])
        for hashed in [hashed for hashed, at_s in seen.items() if at_s <= until_s]:
            del seen[hashed]
    return until_s


@dataclass(slots=True)
class _Context:
    """What a handler may change."""

    session: SessionState
    profile: ProfileState
    effects: Effects
    site: str
    lateness_ms: int

    def remember(self, kind: str, item_id: str, at_ms: int) -> None:
        name = kind + item_id
        recents.remember(self.session.recents, name, at_ms, keep=KEEP_SESSION_RECENTS)
        recents.remember(self.profile.recents, name, at_ms, keep=KEEP_PROFILE_RECENTS)

    def touch(self, item_id: str, at_ms: int, label: str | None) -> None:
        if label is not None:
            self.effects.placements += attribution.add_touch(self.profile, (at_ms, item_id, label))

    def convert(self, conversions: list[attribution.Conversion]) -> None:
        self.effects.placements += attribution.add_conversions(
            self.profile, conversions, newest_ms=self.profile.newest_ms, lateness_ms=self.lateness_ms
        )


def _page_view(context: _Context, event: contract.PageView) -> None:
    context.profile.page_views += 1


def _view_item_list(context: _Context, event: contract.ViewItemList) -> None:
    context.profile.list_views += 1
    params = event.params
    label = attribution.label_of(context.site, item_list_id=params.item_list_id, rec_id=params.rec_id)
    if label is not None:
        day = event.occurred_at_ms // DAY_MS
        context.effects.placements += [
            PlacementEffect(label, day, attribution.LISTS, 1),
            PlacementEffect(label, day, attribution.IMPRESSIONS, len(params.items)),
        ]


def _select_item(context: _Context, event: contract.SelectItem) -> None:
    at_ms = event.occurred_at_ms
    params = event.params
    for item in params.items:
        context.profile.selects += 1
        context.remember(SELECT, item.item_id, at_ms)
        label = attribution.label_of(
            context.site, item_list_id=params.item_list_id, rec_id=item.rec_id or params.rec_id
        )
        if label is not None:
            context.effects.placements.append(PlacementEffect(label, at_ms // DAY_MS, attribution.CLICKS, 1))
            context.touch(item.item_id, at_ms, label)


def _view_item(context: _Context, event: contract.ViewItem) -> None:
    at_ms = event.occurred_at_ms
    for item in event.params.items:
        item_id = item.item_id
        context.profile.views += 1
        context.remember(VIEW, item_id, at_ms)
        context.effects.items.append(ItemEffect(item_id, at_ms, windows.VIEWS, 1, 0))


def _add_to_cart(context: _Context, event: contract.AddToCart) -> None:
    at_ms = event.occurred_at_ms
    for item in event.params.items:
        context.profile.carts += 1
        context.remember(ADD_TO_CART, item.item_id, at_ms)
        cart.put(context.profile, item.item_id, at_ms=at_ms, quantity=item.quantity)
        context.effects.items.append(ItemEffect(item.item_id, at_ms, windows.CARTS, item.quantity, 0))
        if item.rec_id:
            context.touch(
                item.item_id, at_ms, attribution.label_of(context.site, item_list_id=None, rec_id=item.rec_id)
            )
    context.convert([(at_ms, item.item_id, "c", item.quantity, 0, 0) for item in event.params.items])


def _remove_from_cart(context: _Context, event: contract.RemoveFromCart) -> None:
    for item in event.params.items:
        cart.put(context.profile, item.item_id, at_ms=event.occurred_at_ms, quantity=0)


def _see_cart(context: _Context, event: contract.ViewCart | contract.BeginCheckout) -> None:
    at_ms = event.occurred_at_ms
    if isinstance(event, contract.BeginCheckout):
        context.profile.checkouts += 1
    if event.params.items:
        cart.clear(context.profile, at_ms=at_ms, with_that_time=False)
        for item in event.params.items:
            cart.put(context.profile, item.item_id, at_ms=at_ms, quantity=item.quantity)


def _add_to_wishlist(context: _Context, event: contract.AddToWishlist) -> None:
    for item in event.params.items:
        context.profile.wishlists += 1
        context.remember(WISH, item.item_id, event.occurred_at_ms)


def _purchase(context: _Context, event: contract.Purchase) -> None:
    profile, params, at_ms = context.profile, event.params, event.occurred_at_ms
    order = purchases.hash64(params.transaction_id)
    purchases.add_purchase(
        profile,
        at_ms=at_ms,
        transaction=order,
        units=sum(item.quantity for item in params.items),
        revenue=purchases.value_of(params.items, params.value),
    )
    cart.clear(profile, at_ms=at_ms, with_that_time=True)
    conversions: list[attribution.Conversion] = []
    for item in params.items:
        item_id, quantity = item.item_id, item.quantity
        revenue = purchases.hundredths(item.price or 0.0) * quantity
        context.remember(PURCHASE, item_id, at_ms)
        recents.remember(profile.bought, item_id, at_ms, keep=KEEP_BOUGHT)
        context.effects.items.append(ItemEffect(item_id, at_ms, windows.PURCHASES, quantity, revenue))
        conversions.append((at_ms, item_id, "p", quantity, revenue, order))
        if item.rec_id:
            context.touch(item_id, at_ms, attribution.label_of(context.site, item_list_id=None, rec_id=item.rec_id))
    context.convert(conversions)


def _refund(context: _Context, event: contract.Refund) -> None:
    params = event.params
    amount = purchases.value_of(params.items, params.value) if params.items or params.value is not None else None
    purchases.add_refund(
        context.profile,
        at_ms=event.occurred_at_ms,
        transaction=purchases.hash64(params.transaction_id),
        amount=amount,
    )


def _search(context: _Context, event: contract.Search) -> None:
    context.profile.searches += 1
    term = " ".join(event.params.search_term.lower().split())[:SEARCH_TERM_CHARS]
    recents.remember(context.session.searches, term, event.occurred_at_ms, keep=KEEP_SEARCHES)


_HANDLERS: Final[dict[type, Callable[[_Context, Any], None]]] = {
    contract.PageView: _page_view,
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
}
