"""Pure: the records of one micro-batch and the states they were read with → what to write.

Nothing here touches Redis or the log; ``features.stream`` does. A record that breaks a function is left out after three
tries, and nothing of what it had done stays: ``apply_batch`` sees to it for what concerns one user, and
``without_failing`` for everything that is done with a whole batch, as counting and encoding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

import msgspec

from features import keys
from features.exceptions import FeatureError, MoneyUnavailable, OrdersNeeded, UnknownState
from features.money import MoneyOfSite, in_euros
from features.state import attribution, progress, watermarks, windows
from features.state.apply import Arrival, Conditions, Past, apply_events, newest_ms_of
from features.state.counting.networks import Voices, voice_of_the_day
from features.state.counting.unknown import (
    UNKNOWN_LISTS,
    Bound,
    KeysOfSite,
    SiteKeys,
    know_everything,
    max_unknown_items,
)
from features.state.experiments.sums import ArmSums, take_in
from features.state.handlers import Effects
from features.state.orders.book import REPORTED, Forwarding
from features.state.progress import Progress
from features.state.purchases import hash64
from tracking.contract.clocks import read_record
from tracking.contract.events import EventRecord
from tracking.contract.user_key import ANONYMOUS_PREFIX
from tracking.exceptions import FutureSchema, InvalidEvent
from tracking.log.base import Record

logger = logging.getLogger(__name__)

User = tuple[str, str]  # site, user key
T = TypeVar("T")
Drops = Callable[[EventRecord], bool]
"""Says of a record whether it is not to be applied."""

MAX_TRIES: Final = 3
UNNAMED: Final = "(unnamed)"
"""Who sent a record of a version that left no name."""
POISON: Final = "poison"
"""The reason of a record that is valid and breaks a function: a mistake of ours, whoever sent it."""
PLACEMENT_TTL_S: Final = keys.PLACEMENT_DAY.ttl_s
ARMS_TTL_S: Final = keys.ARMS.ttl_s
_NO_ORDERS: Final[dict[int, bytes | None]] = {}
_NO_OWNERS: Final[dict[int, str]] = {}
_DECODE_ERASED: Final = msgspec.msgpack.Decoder(dict[int, int]).decode


@dataclass(slots=True, frozen=True)
class Refused:
    """A record that cannot be applied; a parked one can be by a newer version of this program."""

    record: Record
    reason: str
    field: str
    detail: str
    is_parked: bool = False


@dataclass(slots=True)
class StoredBatch:
    """What stood in Redis of the users of a batch, and of its partition, before it."""

    progress: bytes | None
    sessions: dict[User, bytes | None]
    profiles: dict[User, bytes | None]
    erased: dict[str, bytes]
    orders: dict[User, dict[int, bytes | None]] = field(default_factory=dict)
    owners: dict[User, dict[int, str]] = field(default_factory=dict)

    def knows_order(self, user: User, order: int) -> bool:
        """Return whether it was looked up with whom an order stands that ``user`` reports, and how."""
        return order in self.orders.get(user, ()) or order in self.owners.get(user, ())


@dataclass(slots=True)
class ParsedBatch:
    """The readable records in the order of the log, and by user."""

    partition: int
    records: Sequence[Record]
    in_order: list[tuple[Record, EventRecord]] = field(default_factory=list)
    by_user: dict[User, list[int]] = field(default_factory=dict)  # indices into in_order
    refused: list[Refused] = field(default_factory=list)
    past: dict[User, Past] = field(default_factory=dict)
    orders: dict[tuple[str, str, int], int] = field(default_factory=dict)  # (site, user key, order) → newest event time
    newest_received_ms: int = 0
    clocks_off: dict[str, int] = field(default_factory=dict)  # by who sent it: what their clock is ahead, ms
    bot_events: int = 0  # of programs that named themselves: the archive keeps them, no feature does
    forgotten_events: int = 0  # of sources whose events are not applied

    def add_past(self, user: User, past: Past) -> None:
        """Let the database's answer for a user be merged along with the batch."""
        self.past[user] = past
        self.by_user.setdefault(user, [])

    def only(self, indices: Sequence[int]) -> ParsedBatch:
        """Return the batch with the readable records of ``indices`` alone; what was refused stays refused."""
        new_index = {index: new for new, index in enumerate(indices)}
        return replace(
            self,
            in_order=[self.in_order[index] for index in indices],
            by_user={
                user: [new_index[index] for index in known if index in new_index]
                for user, known in self.by_user.items()
            },
            refused=list(self.refused),
        )


class CountIncrement(NamedTuple):
    """What to add to the fields of a hash of counts, and for how long the hash stays then.

    Of an item, the first ``windows.N_SUMS`` amounts are added up, and the sample of networks behind them joined.
    """

    amounts: dict[str, list[int]]
    ttl_s: int
    is_of_items: bool = False


@dataclass(slots=True)
class Applied:
    """What a batch does: new states, what is to be added to counts, and how its events were counted."""

    progress: Progress
    sessions: dict[User, bytes]
    profiles: dict[User, bytes]
    increments: dict[str, CountIncrement]  # by Redis key
    bounds: dict[str, Bound]  # by Redis key, of the increments that have one
    outcomes: dict[str, int]
    poison: list[Refused]
    partially_loaded: list[User]
    orders: dict[User, dict[int, bytes]] = field(default_factory=dict)
    forwardings: list[tuple[str, Forwarding]] = field(default_factory=list)  # with the site


def parse_batch(partition: int, records: Sequence[Record]) -> ParsedBatch:
    """Read the records; what breaks the contract is set aside with its reason."""
    batch = ParsedBatch(partition, records)
    in_order, by_user = batch.in_order, batch.by_user
    for record in records:
        try:
            parsed, off_ms = read_record(record.value, appended_at_ms=record.timestamp_ms, stamp=record.stamp)
        except FutureSchema as error:
            batch.refused.append(Refused(record, error.code, error.field, error.reason, is_parked=True))
            continue
        except InvalidEvent as error:
            batch.refused.append(Refused(record, error.code, error.field, error.reason))
            continue
        except Exception as error:
            batch.refused.append(poison(record, error))
            continue
        if off_ms:
            batch.clocks_off[record.stamp.sender or UNNAMED] = off_ms
        if batch.newest_received_ms < parsed.received_at_ms:
            batch.newest_received_ms = parsed.received_at_ms
        if parsed.ctx.bot:
            batch.bot_events += len(parsed.events) + len(parsed.custom)
            continue
        user = (parsed.site, parsed.user_key)
        indices = by_user.get(user)
        if indices is None:
            by_user[user] = [len(in_order)]
        else:
            indices.append(len(in_order))
        in_order.append((record, parsed))
        _note_orders(batch.orders, parsed)
    return batch


def _note_orders(orders: dict[tuple[str, str, int], int], record: EventRecord) -> None:
    user = (record.site, record.user_key)
    if record.forwarded is not None:
        orders[(*user, record.forwarded.order)] = newest_ms_of(record)
        return
    for event in record.events:
        if isinstance(event, REPORTED):
            name = (*user, hash64(event.params.transaction_id))
            orders[name] = max(event.occurred_at_ms, orders.get(name, 0))


def without_dropped(batch: ParsedBatch, drops: Drops) -> ParsedBatch:
    """Return the batch without the records that are not to be applied; they are counted, and nothing else of them is.

    Call it before anything is added to the batch.
    """
    kept = [index for index, (_, record) in enumerate(batch.in_order) if not drops(record)]
    n_dropped = len(batch.in_order) - len(kept)
    if not n_dropped:
        return batch
    left = batch.only(kept)
    left.by_user = {user: indices for user, indices in left.by_user.items() if indices}
    left.orders = {}
    for _, record in left.in_order:
        _note_orders(left.orders, record)
    n_events = sum(len(record.events) + len(record.custom) for _, record in batch.in_order)
    left.forgotten_events = n_events - sum(len(record.events) + len(record.custom) for _, record in left.in_order)
    return left


def poison(record: Record, error: Exception) -> Refused:
    """Return the refusal of a record that breaks a function."""
    return Refused(record, POISON, "record", f"{type(error).__name__}: {error}"[:500])


def without_failing(batch: ParsedBatch, attempt: Callable[[ParsedBatch], T]) -> tuple[ParsedBatch, T]:
    """Return the batch without the records that make ``attempt`` fail, and what it makes of the others.

    Records are halved until each that fails stands alone; one of ``n`` costs about ``2 log2(n)`` attempts.

    Parameters
    ----------
    batch : ParsedBatch
    attempt : callable
        What has failed for the batch. It changes nothing that a further attempt would see.

    Raises
    ------
    FeatureError
        What is done about it is not for the records: Redis is unavailable, a newer program wrote a state.
    Exception
        It fails with no record at all, so it is none of them.
    """
    attempt(batch.only(()))
    kept: list[int] = []
    refused: list[Refused] = []
    waiting: list[Sequence[int]] = [range(len(batch.in_order))]
    while waiting:
        part = waiting.pop()
        error = _error_of(attempt, batch.only([*kept, *part]), tries=MAX_TRIES if len(part) == 1 else 1)
        if error is None:
            kept += part
        elif len(part) == 1:
            refused.append(poison(batch.in_order[part[0]][0], error))
        else:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
    others = batch.only(kept)
    others.refused += refused
    return others, attempt(others)


def _error_of(attempt: Callable[[ParsedBatch], object], batch: ParsedBatch, *, tries: int) -> Exception | None:
    failure: Exception | None = None
    for _ in range(tries):
        try:
            attempt(batch)
        except (FeatureError, MemoryError):
            raise
        except Exception as error:
            failure = error
        else:
            return None
    return failure


def apply_batch(  # what a worker has, each of which tests replace on its own
    batch: ParsedBatch,
    stored: StoredBatch,
    *,
    lateness_ms: int,
    may_have_past: Callable[[str], bool] = lambda site: False,
    keys_of_site: KeysOfSite = know_everything,
    money_of: MoneyOfSite = in_euros,
    voices: Voices = voice_of_the_day,
    begins_anonymous: bool = True,
) -> Applied:
    """Return what the batch does to the states it was read with.

    ``may_have_past`` says of a site whether the database may know a user that Redis does not, and ``keys_of_site``
    which items and placements the site has: of others, a bounded number is told apart. ``money_of`` returns the
    currency and the exchange rates of a site; it is called where orders are counted, and what it raises ends the batch.
    ``voices`` tells whether two tags are of one network. Without ``begins_anonymous``, pages bring no anonymous users
    that Redis does not know: their events are archived, and count as ``crowded``.

    Raises
    ------
    UnknownState
        A newer version of this program wrote a state; this one must not touch it.
    OrdersNeeded
        ``stored`` lacks orders that the batch is about.
    """
    needed = [name for name in batch.orders if not stored.knows_order(name[:2], name[2])] if batch.orders else ()
    if needed:
        raise OrdersNeeded(needed)
    state = progress.decode(stored.progress)
    applied = Applied(state, {}, {}, {}, {}, dict.fromkeys(progress.OUTCOMES, 0), [], [])
    margins = {site: _margins(keys_of_site(site)) for site in {site for site, _ in batch.by_user}}
    has_past = {site: may_have_past(site) for site in {site for site, _ in batch.by_user}}
    arrivals = _with_lateness(batch, state, lateness_ms=lateness_ms)
    items: dict[str, list[windows.ItemEffect]] = {}
    placements: dict[str, list[attribution.PlacementEffect]] = {}
    arms: dict[tuple[str, str], ArmSums] = {}
    outcomes = applied.outcomes
    for user, indices in batch.by_user.items():
        if not begins_anonymous and _is_new_anonymous(batch, stored, user, indices):
            records = [batch.in_order[index][1] for index in indices]
            outcomes[progress.CROWDED] += sum(len(record.events) + len(record.custom) for record in records)
            continue
        conditions = Conditions(
            lateness_ms=lateness_ms,
            erased_until_ms=erased_until_ms(stored, user) if stored.erased else 0,
            new_is_fully_loaded=not has_past[user[0]],
            past=batch.past.get(user) if batch.past else None,
            orders=stored.orders.get(user, _NO_ORDERS),
            owners=stored.owners.get(user, _NO_OWNERS),
            money_of=money_of,
            margins=margins[user[0]],
            voices=voices,
        )
        effects = _apply_user(batch, user, indices, arrivals, stored, applied, conditions)
        if effects.orders:
            applied.orders[user] = effects.orders
        if effects.forwardings:
            applied.forwardings += [(user[0], one) for one in effects.forwardings]
        if (effects.applied or effects.orders) and not effects.is_fully_loaded:
            applied.partially_loaded.append(user)
        if effects.items:
            items.setdefault(user[0], []).extend(effects.items)
        if effects.placements:
            placements.setdefault(user[0], []).extend(effects.placements)
        for experiment, sums in effects.arms.items():
            take_in(arms.setdefault((user[0], experiment), {}), sums)
        outcomes[progress.APPLIED] += effects.applied
        outcomes[progress.DUPLICATE] += effects.duplicate
        outcomes[progress.LATE] += effects.late
    outcomes[progress.BOT] += batch.bot_events
    outcomes[progress.FORGOTTEN] += batch.forgotten_events
    for refused in (*batch.refused, *applied.poison):
        outcomes[progress.PARKED if refused.is_parked else progress.DEAD_LETTERED] += 1
    for site, item_effects in items.items():
        now_ms = watermarks.site_time_ms(state.watermarks, site)
        _count_items(applied, item_effects, batch.partition, site, keys_of_site(site), now_ms=now_ms)
    for site, placement_effects in placements.items():
        _count_placements(applied, placement_effects, batch.partition, site, keys_of_site(site))
    for (site, experiment), sums in arms.items():
        applied.increments[keys.arms(batch.partition, site, experiment)] = CountIncrement(sums, ARMS_TTL_S)
    state.records += len(batch.records)
    for outcome, amount in outcomes.items():
        state.count(outcome, amount)
    return applied


def _margins(known: SiteKeys | None) -> Mapping[str, float]:
    return {} if known is None else known.margins


def _is_new_anonymous(batch: ParsedBatch, stored: StoredBatch, user: User, indices: list[int]) -> bool:
    """Return whether an anonymous user comes from pages alone and is known to nobody."""
    return (
        user[1].startswith(ANONYMOUS_PREFIX)
        and stored.profiles[user] is None
        and stored.sessions[user] is None
        and user not in batch.past
        and all(
            record.source == "browser" and record.forwarded is None
            for record in (batch.in_order[index][1] for index in indices)
        )
    )


def _count_items(
    applied: Applied,
    effects: list[windows.ItemEffect],
    partition: int,
    site: str,
    known: SiteKeys | None,
    *,
    now_ms: int,
) -> None:
    others: list[windows.ItemEffect] = []
    if known is not None:
        others = [effect for effect in effects if effect.item_id not in known.items]
        if others:
            effects = [effect for effect in effects if effect.item_id in known.items]
    for pane, counts in windows.pane_increments(effects, now_ms=now_ms).items():
        key = keys.item_pane(partition, site, pane.width_s, pane.number)
        applied.increments[key] = CountIncrement(counts, windows.pane_ttl_s(pane.width_s), is_of_items=True)
    if known is None or not others:
        return
    most, widest_s = max_unknown_items(known.n_items), max(windows.WIDTHS_S)
    of_panes = windows.pane_increments(others, now_ms=now_ms)
    for pane in sorted(of_panes, reverse=True):  # the widest first: the others are ranked by it
        widest = keys.unknown_pane(partition, site, widest_s, pane.number * pane.width_s // widest_s)
        key = keys.unknown_pane(partition, site, pane.width_s, pane.number)
        ttl_s = windows.pane_ttl_s(pane.width_s)
        applied.increments[key] = CountIncrement(of_panes[pane], ttl_s, is_of_items=True)
        applied.bounds[key] = Bound(most, widest, windows.FIRST_OF_VISITORS, windows.REGULARS)


def _count_placements(
    applied: Applied, effects: list[attribution.PlacementEffect], partition: int, site: str, known: SiteKeys | None
) -> None:
    for day, labels in attribution.sum_effects(effects).items():
        own, others = labels, {}
        if known is not None:
            own = {label: amounts for label, amounts in labels.items() if _is_ours(label, known)}
            others = {label: amounts for label, amounts in labels.items() if label not in own}
            for label in [label for label in others if attribution.currency_of(label)]:
                # Lists that are not told apart are added up, which must not be across currencies.
                name = attribution.apart_label(attribution.NO_LIST, attribution.currency_of(label))
                amounts = zip(own.get(name, [0] * len(attribution.METRICS)), others.pop(label), strict=True)
                own[name] = [one + other for one, other in amounts]
        if own:
            key = keys.placement_day(partition, site, day)
            applied.increments[key] = CountIncrement(own, PLACEMENT_TTL_S)
        if others:
            key = keys.unknown_lists(partition, site, day)
            applied.increments[key] = CountIncrement(others, PLACEMENT_TTL_S)
            applied.bounds[key] = Bound(UNKNOWN_LISTS, key, 0)


def _is_ours(label: str, known: SiteKeys) -> bool:
    return not attribution.is_named_by_page(label) or attribution.placement_of(label) in known.placements


def _with_lateness(batch: ParsedBatch, state: Progress, *, lateness_ms: int) -> list[Arrival]:
    """Return each record with the event time before which it is late, and move the watermarks."""
    arrivals: list[Arrival] = []
    marks = state.watermarks
    names: dict[tuple[str, str], str] = {}
    for record, parsed in batch.in_order:
        if parsed.forwarded is not None:  # its events are on the clock of the partition where they were reported
            arrivals.append(Arrival(parsed, 0))
            continue
        origin = (parsed.site, parsed.source)
        name = names.get(origin)
        if name is None:
            name = names[origin] = watermarks.clock_name(*origin)
        arrivals.append(Arrival(parsed, watermarks.oldest_accepted_ms(marks, name, lateness_ms=lateness_ms)))
        newest_ms = max([event.occurred_at_ms for event in parsed.events], default=0)
        if newest_ms > marks.get(name, 0):
            watermarks.advance(
                marks,
                name,
                newest_ms=newest_ms,
                received_at_ms=parsed.received_at_ms,
                appended_at_ms=record.timestamp_ms,
            )
    return arrivals


def _apply_user(
    batch: ParsedBatch,
    user: User,
    indices: list[int],
    arrivals: list[Arrival],
    stored: StoredBatch,
    applied: Applied,
    conditions: Conditions,
) -> Effects:
    """Apply one user's records: all at once, or one by one when something in them breaks a function."""
    session, profile = stored.sessions[user], stored.profiles[user]
    try:
        new_session, new_profile, effects = apply_events(
            session, profile, [arrivals[index] for index in indices], conditions
        )
    except (UnknownState, OrdersNeeded, MoneyUnavailable):
        raise
    except Exception:
        logger.exception("stream.user_failed partition=%s records=%s", batch.partition, len(indices))
        effects = Effects()
        for index in indices:
            one = _apply_one(session, profile, arrivals[index], conditions)
            if isinstance(one, Exception):
                applied.poison.append(poison(batch.in_order[index][0], one))
                continue
            session, profile, effect = one
            effects.add(effect)
            conditions = conditions._replace(orders={**(conditions.orders or {}), **effect.orders})
        if session is None or profile is None:
            return effects
        new_session, new_profile = session, profile
    # Only re-sends and late events: nothing has changed, and an erased user must not get a key again.
    if effects.applied or effects.orders or conditions.past is not None:
        applied.sessions[user] = new_session
        applied.profiles[user] = new_profile
    return effects


def _apply_one(
    session: bytes | None, profile: bytes | None, arrival: Arrival, conditions: Conditions
) -> tuple[bytes, bytes, Effects] | Exception:
    failure: Exception = RuntimeError("never tried")
    for _ in range(MAX_TRIES):
        try:
            return apply_events(session, profile, [arrival], conditions)
        except (OrdersNeeded, MoneyUnavailable):
            raise
        except Exception as error:
            failure = error
    return failure


def erased_until_ms(stored: StoredBatch, user: User) -> int:
    """Return up to when the user had everything erased; 0 for nobody erased."""
    blob = stored.erased.get(user[0])
    return _DECODE_ERASED(blob).get(hash64(user[1]), 0) if blob else 0
