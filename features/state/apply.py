"""Pure: the states of one user and its events → the new states and what they do to items and placements.

Whatever order events arrive in within the allowed lateness, and however often, the result means the same. Three
things make it so: an event id counts once; sums are of whole numbers; and of everything that can be pushed out,
the newest by event time stay. A property test holds it (``tests/features/test_order.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from features.money import MoneyOfSite, in_euros
from features.state import activity, merging, states
from features.state.counting import networks
from features.state.counting import seen as seen_ids
from features.state.experiments import sums
from features.state.handlers import HANDLERS, Context, Effects, apply_forwarded, count_event
from features.state.identity import joins
from features.state.orders.book import OrderBook
from features.state.states import ProfileState, SessionState
from tracking.contract.events import EventRecord


@dataclass(slots=True, frozen=True)
class Past:
    """The database's answer for a user that Redis did not know; ``None`` when it does not know it either."""

    blob: bytes | None


class Arrival(NamedTuple):
    """A record of the log and the event time before which its events are too late."""

    record: EventRecord
    oldest_ms: int


class Conditions(NamedTuple):
    """What decides of one user's events besides its states.

    Attributes
    ----------
    lateness_ms : int
        How far behind the watermark an event may be and still count.
    erased_until_ms : int
        The user had everything up to this time erased: it counts as seen.
    new_is_fully_loaded : bool
        Nothing outlived a profile that Redis does not know.
    past : Past, optional
        What the database knows of a profile that was begun without its past.
    orders : mapping of int to bytes or None, optional
        The user's orders as stored, by the hash of their transaction ids, as far as the events are about them; None for
        the mapping where none are stored yet.
    owners : mapping of int to str
        Orders that stand with another user key, and with which.
    money_of : callable
        From a site to its currency and rates; called for what is about amounts alone.
    margins : mapping of str to float
        Item id → the share of its price that is left after its cost, as far as that is known.
    voices : callable
        From the tag of a network to what is the same for that network on all days.
    """

    lateness_ms: int
    erased_until_ms: int = 0
    new_is_fully_loaded: bool = True
    past: Past | None = None
    orders: Mapping[int, bytes | None] | None = None
    owners: Mapping[int, str] = {}
    money_of: MoneyOfSite = in_euros
    margins: Mapping[str, float] = {}
    voices: networks.Voices = networks.voice_of_the_day


def apply_events(
    session_blob: bytes | None, profile_blob: bytes | None, arrivals: Iterable[Arrival], conditions: Conditions
) -> tuple[bytes, bytes, Effects]:
    """Return the new session and profile of one user and the effects of its events.

    Parameters
    ----------
    session_blob, profile_blob : bytes or None
        The states as stored; ``None`` when Redis holds none.
    arrivals : iterable of Arrival
        Records of this user, in the order of the log.
    conditions : Conditions

    Raises
    ------
    UnknownState
        A stored state is of a version that this program cannot read.
    OrdersNeeded
        An order that the events are about is in neither of the mappings.
    """
    session = states.decode_session(session_blob)
    profile = states.decode_profile(profile_blob)
    effects = Effects()
    if profile_blob is None:
        profile.is_fully_loaded = conditions.new_is_fully_loaded
    if conditions.past is not None and not profile.is_fully_loaded:
        past, since = states.decode_profile(conditions.past.blob), profile
        profile = merging.merged(past, since)
        effects.arms = sums.merges(past.exposures, since.exposures, profile.exposures)
    known = sums.copied(profile.exposures)
    book: OrderBook | None = None
    for arrival in arrivals:
        if book is None:
            book = OrderBook(
                arrival.record.site, arrival.record.user_key, stored=conditions.orders, owners=conditions.owners
            )
        _apply_record(session, profile, arrival, effects, book, conditions)
    if book is not None:
        effects.orders, effects.forwardings = book.written(), book.forwardings
    effects.is_fully_loaded = profile.is_fully_loaded
    for experiment, changed in sums.changes(known, profile.exposures).items():
        sums.take_in(effects.arms.setdefault(experiment, {}), changed)
    return states.encode(session), states.encode(profile), effects


def _apply_record(
    session: SessionState,
    profile: ProfileState,
    arrival: Arrival,
    effects: Effects,
    book: OrderBook,
    conditions: Conditions,
) -> None:
    record, lateness_ms = arrival.record, conditions.lateness_ms
    context = Context(session, profile, effects, book, record.site, record.source, lateness_ms, conditions.money_of)
    context.margins = conditions.margins
    context.user_id = record.user_id
    context.network = networks.tag_of(record)
    context.voice = networks.voice_of(record, context.network, conditions.voices)
    if record.forwarded is not None:
        # It was in time where it was reported, and counts once however often it comes.
        if newest_ms_of(record) > conditions.erased_until_ms:
            apply_forwarded(context, record, record.forwarded)
        return
    is_import = record.source == "import"
    seen = profile.seen_import if is_import else profile.seen
    orders = profile.seen_orders_import if is_import else profile.seen_orders
    until_s = profile.seen_import_until_s if is_import else profile.seen_until_s
    oldest_ms = max(arrival.oldest_ms, conditions.erased_until_ms + 1)
    lateness_s = lateness_ms // 1_000 + 1
    # Custom events move only what is declared to count them, but the ledger counts them as any other.
    for event in (*record.events, *record.custom):
        at_ms = event.occurred_at_ms
        at_s = at_ms // 1_000
        hashed = seen_ids.hash_id(event.event_id)
        is_order = isinstance(event, seen_ids.ORDERS)
        if hashed in seen or hashed in orders.at_s:
            effects.duplicate += 1
            continue
        if at_ms < oldest_ms or at_s <= (orders.until_s if is_order else until_s):
            effects.late += 1
            continue
        if is_order:
            orders.until_s = seen_ids.remember(
                orders.at_s,
                hashed,
                at_s=at_s,
                until_s=orders.until_s,
                lateness_s=lateness_s,
                limits=seen_ids.ORDER_LIMITS,
            )
        else:
            until_s = seen_ids.remember(
                seen, hashed, at_s=at_s, until_s=until_s, lateness_s=lateness_s, limits=seen_ids.CLICK_LIMITS
            )
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
            joins.note(profile.aliases, record.anonymous_id, at_ms)
        effects.applied += 1
        count_event(profile, event)
        handle = HANDLERS.get(type(event))
        if handle is not None:
            handle(context, event)
    if is_import:
        profile.seen_import_until_s = until_s
    else:
        profile.seen_until_s = until_s


def newest_ms_of(record: EventRecord) -> int:
    """Return the newest event time in a record; of one that forwards clicks alone, that of the newest click."""
    clicks = record.forwarded.clicks if record.forwarded is not None else ()
    times = [event.occurred_at_ms for event in record.events] or [click.occurred_at_ms for click in clicks]
    return max(times, default=0)
