"""The states of a user as they stand in Redis: a version byte, then MessagePack.

They are builders, too: the functions that move them change them in place, between a ``decode`` and an ``encode``
that belong to one call of ``apply.apply_events``; nobody else holds a reference. Short arrays instead of names make
them small; fields are appended and never moved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field

from features import definitions
from features.exceptions import UnknownState
from features.metrics import STATES_REBUILT
from features.state import recents
from features.state.counting import seen as seen_ids
from features.state.counting import votes
from features.state.counting.seen import SeenIds
from features.state.identity import attributes
from features.state.recents import Repeats

logger = logging.getLogger(__name__)

MAX_STATE_BYTES: Final = 4_096
"""A state is never larger, however long its ids are. Where it would be, its oldest entries go first."""


class SessionState(Struct, array_like=True, kw_only=True):
    """The *session* feature view of one user key. ``recents`` maps kind letter and item id to an event time."""

    newest_ms: int = 0
    recents: dict[str, int] = field(default_factory=dict)
    searches: dict[str, int] = field(default_factory=dict)
    # The same names as in ``recents`` -> times before the newest. A program that does not know it writes it no more:
    # repeats are missing then until the session is over, and nothing else.
    repeats: Repeats = field(default_factory=dict)


class ProfileState(Struct, array_like=True, kw_only=True):
    """The *profile* feature view of one user key, with what makes its counts exact."""

    first_ms: int = 0
    newest_ms: int = 0
    # Hash of each event id of the lateness window -> epoch seconds of its event; imports have a clock of their own.
    seen: dict[int, int] = field(default_factory=dict)
    seen_import: dict[int, int] = field(default_factory=dict)
    seen_until_s: int = 0  # everything up to here counts as seen: more happened in the window than can be remembered
    seen_import_until_s: int = 0
    page_views: int = 0
    list_views: int = 0
    selects: int = 0
    views: int = 0
    carts: int = 0
    wishlists: int = 0
    searches: int = 0
    checkouts: int = 0
    orders: int = 0
    units: int = 0
    revenue: int = 0
    refunds: int = 0
    refunded: int = 0
    last_purchase_ms: int = 0
    # UTC day, or minus the number of the week when older -> [orders, revenue net of refunds]
    days: dict[int, list[int]] = field(default_factory=dict)
    sessions: list[list[int]] = field(default_factory=list)  # [start_ms, end_ms, events], oldest first
    session_number: int = 0
    recents: dict[str, int] = field(default_factory=dict)
    bought: dict[str, int] = field(default_factory=dict)
    cart: dict[str, list[int]] = field(default_factory=dict)  # item id -> [time, quantity]; 0 is a tombstone
    cart_cleared: int = 0  # twice the time, plus one when things of that very time went, too
    aliases: dict[str, int] = field(default_factory=dict)
    touches: list[tuple[int, str, str]] = field(default_factory=list)  # (time, item id, label), oldest first
    # (time, item id, kind, pieces, revenue, hash of the order or 0), of the lateness window
    conversions: list[tuple[int, str, str, int, int, int]] = field(default_factory=list)
    # Hash of a transaction id of the newest orders -> [time]. Of one that version 0.1 counted, until it is heard of
    # again: [time, revenue or -1 when only its refund came, time when it was refunded as a whole or 0].
    transactions: dict[int, list[int]] = field(default_factory=dict)
    is_fully_loaded: bool = False  # whether the database was asked for what Redis had forgotten
    counts: dict[str, int] = field(default_factory=dict)  # of the declared counts that have no field of their own
    # Purchases and refunds: clicks push none of them out.
    seen_orders: SeenIds = field(default_factory=SeenIds)
    seen_orders_import: SeenIds = field(default_factory=SeenIds)
    votes: votes.Votes = field(default_factory=dict)  # which items this user counts for as a visitor
    attributes: attributes.Attributes = field(default_factory=dict)  # what the shop said of the user
    # Currency -> [orders, revenue, refunded] in its own minor units, of orders that no rate converts: in no sum above.
    apart: dict[str, list[int]] = field(default_factory=dict)
    # Experiment -> [arm, time of the first exposure, figures since then]; see experiments.exposures.
    exposures: dict[str, list[int]] = field(default_factory=dict)
    # Hash of an order of the lateness window -> [time, orders, net revenue, refunded, margin].
    late_orders: dict[int, list[int]] = field(default_factory=dict)


State = TypeVar("State", SessionState, ProfileState)

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODERS: Final[dict[type[Struct], msgspec.msgpack.Decoder[Any]]] = {
    SessionState: msgspec.msgpack.Decoder(SessionState),
    ProfileState: msgspec.msgpack.Decoder(ProfileState),
}
_VIEWS: Final[dict[type[Struct], tuple[str, int]]] = {
    SessionState: (definitions.SESSION.name, definitions.SESSION.version),
    ProfileState: (definitions.PROFILE.name, definitions.PROFILE.version),
}
_VERSIONS: Final = {kind: bytes([version]) for kind, (_, version) in _VIEWS.items()}
_DECODE_SESSION: Final = _DECODERS[SessionState].decode
_DECODE_PROFILE: Final = _DECODERS[ProfileState].decode
_SESSION_VERSION: Final = definitions.SESSION.version
_PROFILE_VERSION: Final = definitions.PROFILE.version


def decode_session(blob: bytes | None) -> SessionState:
    """Return the session state in ``blob``, or an empty one when there is none."""
    if blob is None:
        return SessionState()
    if blob[0] != _SESSION_VERSION:
        return _other_version(SessionState, blob)
    try:
        state: SessionState = _DECODE_SESSION(memoryview(blob)[1:])
    except (msgspec.DecodeError, RecursionError):
        return _unreadable(SessionState, blob)
    return state


def decode_profile(blob: bytes | None) -> ProfileState:
    """Return the profile state in ``blob``, or an empty one when there is none."""
    if blob is None:
        return ProfileState()
    if blob[0] != _PROFILE_VERSION:
        return _other_version(ProfileState, blob)
    try:
        state: ProfileState = _DECODE_PROFILE(memoryview(blob)[1:])
    except (msgspec.DecodeError, RecursionError):
        return _unreadable(ProfileState, blob)
    return state


#: (view, old version) -> what makes a state of it. Without an entry, states of that version start from scratch.
MIGRATIONS: Final[dict[tuple[str, int], Callable[[bytes], Any]]] = {}


def _other_version(kind: type[State], blob: bytes) -> State:
    """Migrate an older version, or start from scratch; refuse a newer one, which this program must not overwrite."""
    view, version = _VIEWS[kind]
    if blob[0] > version:
        raise UnknownState(
            f"a {view} state has version {blob[0]}, this program reads up to {version}: "
            "run the newer program, or rebuild the states with `manage.py replay`"
        )
    migrate = MIGRATIONS.get((view, blob[0]))
    if migrate is not None:
        migrated: State = migrate(blob)
        return migrated
    STATES_REBUILT.labels(view=view).inc()
    return kind()


def _unreadable(kind: type[State], blob: bytes) -> State:
    view, version = _VIEWS[kind]
    logger.error("states.unreadable view=%s version=%s bytes=%s", view, version, len(blob))
    STATES_REBUILT.labels(view=view).inc()
    return kind()


def encode(state: SessionState | ProfileState) -> bytes:
    """Return the bytes of a state, within ``MAX_STATE_BYTES``; what does not fit is dropped from ``state``, too."""
    blob = _VERSIONS[type(state)] + _ENCODER.encode(state)
    while len(blob) > MAX_STATE_BYTES and _shed(state):
        blob = _VERSIONS[type(state)] + _ENCODER.encode(state)
    return blob


_NEWEST_ITEMS: Final = ("recents", "searches", "bought", "cart", "touches", "conversions")
_SPARE_IDS: Final = 16


def _shed(state: SessionState | ProfileState) -> bool:
    """Drop the older part of what can best be spared; False when there is nothing left to drop.

    First a session's repeats; then what names items, the largest first, but for the newest of each; then ids of events
    that were counted, so that what is as old as the dropped ones counts as late and nothing counts twice; then the rest
    of what has names.
    """
    return (
        _shed_names(state, ("repeats",), keep=0)
        or _shed_names(state, _NEWEST_ITEMS, keep=1)
        or (isinstance(state, ProfileState) and (_shed_seen(state) or _shed_names(state, ("aliases",), keep=1)))
        or _shed_names(state, _NEWEST_ITEMS, keep=0)
    )


def _shed_names(state: SessionState | ProfileState, names: Sequence[str], *, keep: int) -> bool:
    """Drop the older quarter of the list that takes the most bytes; each keeps its ``keep`` newest."""
    found: list[Any] = [getattr(state, name, None) for name in names]
    lists = [value for value in found if isinstance(value, dict | list) and len(value) > keep]
    if not lists:
        return False
    largest = max(lists, key=lambda one: len(_ENCODER.encode(one)))
    kept = max(keep, len(largest) * 3 // 4)
    if isinstance(largest, list):  # of entries that begin with their time
        largest.sort()
        del largest[: len(largest) - kept]
    else:  # a name's time, or a list that begins with it
        for name in sorted(largest, key=lambda one: (largest[one], one))[: len(largest) - kept]:
            del largest[name]
    return True


def _shed_seen(profile: ProfileState) -> bool:
    """Forget the older half of the ids of the fuller memory; everything up to their time counts as seen from now on."""
    if max(len(profile.seen), len(profile.seen_import)) <= _SPARE_IDS:
        return False
    if len(profile.seen) >= len(profile.seen_import):
        profile.seen_until_s = seen_ids.forget_older_half(profile.seen, until_s=profile.seen_until_s)
    else:
        profile.seen_import_until_s = seen_ids.forget_older_half(
            profile.seen_import, until_s=profile.seen_import_until_s
        )
    return True


def canonical(state: SessionState | ProfileState, *, lateness_ms: int) -> list[Any]:
    """Return what a state means as plain, ordered values: equal for equal meaning, whatever its history.

    Mappings are trimmed to what they promise, what has become too late to matter is left out, and so is what only
    says how the state came to be.
    """
    values: list[Any] = []
    for name in state.__struct_fields__:
        value = getattr(state, name)
        if name == "is_fully_loaded":
            continue
        keep = _KEEPS[type(state)].get(name)
        if isinstance(state, SessionState) and name == "recents":
            value = recents.kept_names(value, keep=definitions.KEEP_SESSION_RECENTS)
        elif isinstance(state, SessionState) and name == "repeats":
            found = recents.newest_repeats(state.recents, value, keep=definitions.KEEP_SESSION_RECENTS)
            value = sorted(found.items())
        elif keep is not None:
            value = recents.newest(value, keep=keep)
        elif name in ("seen", "seen_import"):
            value = _recent_ids(value, lateness_ms=lateness_ms)
        elif isinstance(value, SeenIds):
            value = [_recent_ids(value.at_s, lateness_ms=lateness_ms), value.until_s]
        elif name == "votes" and isinstance(state, ProfileState):
            value = votes.current(value, oldest_ms=state.newest_ms - lateness_ms)
        elif name == "conversions" and isinstance(state, ProfileState):
            value = sorted(entry for entry in value if entry[0] >= state.newest_ms - lateness_ms)
        elif name == "late_orders" and isinstance(state, ProfileState):
            value = sorted(one for one in value.items() if one[1][0] >= state.newest_ms - lateness_ms)
        elif isinstance(value, dict):
            value = sorted(value.items())
        elif isinstance(value, list):
            value = sorted(value)
        values.append(value)
    return values


def _recent_ids(ids: dict[int, int], *, lateness_ms: int) -> list[int]:
    oldest_s = max(ids.values(), default=0) - lateness_ms // 1_000
    return sorted(hashed for hashed, at_s in ids.items() if at_s >= oldest_s)


_KEEPS: Final[dict[type[Struct], dict[str, int]]] = {
    SessionState: {
        "searches": definitions.KEEP_SEARCHES,
    },
    ProfileState: {
        "recents": definitions.KEEP_PROFILE_RECENTS,
        "bought": definitions.KEEP_BOUGHT,
        "aliases": definitions.KEEP_ALIASES,
    },
}
