"""Pure: the states of one user under all its keys → the features that ranking and rules use.

A user has a state as an identified user and one for each anonymous id it was seen under; they are never moved into
each other, only merged here, when they are read. So the order in which an identity became known does not matter, and
two identified users are never one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from features.definitions import KEEP_BOUGHT, KEEP_SEARCHES, KEEP_SESSION_RECENTS, SESSION_GAP_MS
from features.state import cart, purchases, recents, states
from features.state.experiments.exposures import seen_arms
from features.state.handlers import DECLARED_COUNTS, KINDS, read_count
from features.state.identity import attributes, joins
from features.state.merging import joined_sessions
from features.state.states import ProfileState, SessionState
from tracking.contract.traits import Trait


class Recent(NamedTuple):
    """One kind of interaction with one item: ``view``, ``select``, ``cart``, ``wishlist`` or ``purchase``."""

    item_id: str
    kind: str
    occurred_at_ms: int
    age_ms: int


class Rfm(NamedTuple):
    """Recency in seconds (``None`` without a purchase), frequency and net monetary value in minor units, by window."""

    recency_s: float | None
    frequency: int
    monetary: int
    frequency_30d: int
    monetary_30d: int
    frequency_90d: int
    monetary_90d: int
    frequency_365d: int
    monetary_365d: int
    average_order_value: float | None


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """RFM scores from 1 (low) to 5, and the segment they fall in."""

    name: str
    recency: int
    frequency: int
    monetary: int


class StateBlobs(NamedTuple):
    """What Redis holds under one user key."""

    session: bytes | None
    profile: bytes | None
    segment: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFeatures:
    """What is known of a user at one moment; built by ``merge``.

    ``state_version`` changes whenever a state does: answers made from the features may be kept under it.
    ``freshness_ms`` is the age of the newest event in them. ``apart`` is what was spent, net of refunds, in currencies
    that no rate converts: minor units by currency, in no figure of ``rfm``. ``steps`` are the items of the session's
    steps (``recents.STEPS``), newest first, as often as they were: what the ranker learnt from.
    """

    state_version: str
    is_known: bool
    freshness_ms: int | None
    recents: tuple[Recent, ...]
    session: tuple[Recent, ...]
    session_started_ms: int | None
    searches: tuple[str, ...]
    cart: dict[str, int]
    bought: dict[str, int]
    aliases: tuple[str, ...]
    counts: dict[str, int]
    rfm: Rfm
    segment: Segment | None
    session_number: int
    apart: dict[str, int] = field(default_factory=dict)
    sessions: tuple[tuple[int, int, int], ...] = field(default=())
    attributes: dict[str, Trait] = field(default_factory=dict)
    steps: tuple[str, ...] = field(default=())
    arms: dict[str, tuple[int, int]] = field(default_factory=dict)  # experiment → time of the first exposure, arm


COUNTS: Final = (*DECLARED_COUNTS, "orders")
NOBODY_VERSION: Final = "0"
_DECODE_SEGMENT: Final = msgspec.msgpack.Decoder(Segment).decode


def merge(blobs: Sequence[StateBlobs], *, now_ms: int) -> UserFeatures:
    """Return the features of a user from the states under its keys, the most certain identity first.

    Raises
    ------
    UnknownState
        A newer program wrote a state.
    """
    known = [
        (
            None if blob.session is None else states.decode_session(blob.session),
            None if blob.profile is None else states.decode_profile(blob.profile),
        )
        for blob in blobs
    ]
    sessions = [session for session, _ in known if session is not None]
    profiles = [profile for _, profile in known if profile is not None]
    seen = _newest_of([*(s.recents for s in sessions), *(p.recents for p in profiles)])
    newest = [
        Recent(name[1:], KINDS[name[0]], at_ms, now_ms - at_ms if at_ms < now_ms else 0)
        for name, at_ms in recents.newest(seen, keep=KEEP_SESSION_RECENTS)
        if name[0] in KINDS
    ]
    intervals = joined_sessions([interval for p in profiles for interval in p.sessions])
    started_ms = _current_session_start(intervals, now_ms=now_ms)
    newest_ms = max([*(s.newest_ms for s in sessions), *(p.newest_ms for p in profiles)], default=0)
    segment = next((blob.segment for blob in blobs if blob.segment is not None), None)
    return UserFeatures(
        state_version=state_version(blobs),
        is_known=bool(sessions or profiles),
        freshness_ms=max(0, now_ms - newest_ms) if newest_ms else None,
        recents=tuple(newest),
        session=tuple(newest[: _count_since(newest, started_ms)]),
        session_started_ms=started_ms,
        searches=tuple(
            term for term, _ in recents.newest(_newest_of([s.searches for s in sessions]), keep=KEEP_SEARCHES)
        ),
        cart=_merged_cart(profiles, now_ms=now_ms),
        bought=dict(recents.newest(_newest_of([p.bought for p in profiles]), keep=KEEP_BOUGHT)),
        aliases=tuple(joins.joined(_newest_of([p.aliases for p in profiles]))[: joins.MAX_READ]),
        counts=_counts(profiles),
        rfm=rfm_of(profiles, now_ms=now_ms),
        segment=_DECODE_SEGMENT(segment) if segment else None,
        apart=_apart(profiles),
        session_number=max((p.session_number for p in profiles), default=0),
        sessions=tuple((start, end, events) for start, end, events in intervals),
        attributes=_attributes(profiles),
        steps=_steps(known, started_ms=started_ms),
        arms=seen_arms(profiles),
    )


def state_version(blobs: Sequence[StateBlobs]) -> str:
    """Return a short word that changes whenever one of the states does."""
    if not any(blob.session or blob.profile for blob in blobs):
        return NOBODY_VERSION
    digest = hashlib.blake2b(digest_size=8)
    for blob in blobs:
        for part in blob:
            digest.update(len(part or b"").to_bytes(4, "little"))
            digest.update(part or b"")
    return digest.hexdigest()


def rfm_of(profiles: Sequence[ProfileState], *, now_ms: int) -> Rfm:
    """Return recency, frequency and monetary value over all profiles of one user."""
    last_ms = max((p.last_purchase_ms for p in profiles), default=0)
    orders = sum(p.orders for p in profiles)
    converted = orders - sum(sums[0] for p in profiles for sums in p.apart.values())
    revenue = sum(p.revenue for p in profiles)
    days = [p.days for p in profiles if p.days]
    windows = [purchases.window_sums(days, now_ms=now_ms, window_days=window_days) for window_days in (30, 90, 365)]
    return Rfm(
        recency_s=max(0, now_ms - last_ms) / 1_000 if last_ms else None,
        frequency=orders,
        monetary=revenue - sum(p.refunded for p in profiles),
        frequency_30d=windows[0][0],
        monetary_30d=windows[0][1],
        frequency_90d=windows[1][0],
        monetary_90d=windows[1][1],
        frequency_365d=windows[2][0],
        monetary_365d=windows[2][1],
        average_order_value=revenue / converted if converted > 0 else None,
    )


def _apart(profiles: Sequence[ProfileState]) -> dict[str, int]:
    found: dict[str, int] = {}
    for profile in profiles:
        for currency, (_, value, refunded) in profile.apart.items():
            found[currency] = found.get(currency, 0) + value - refunded
    return found


def _attributes(profiles: Sequence[ProfileState]) -> dict[str, Trait]:
    joined: attributes.Attributes = {}
    for profile in profiles:
        if profile.attributes:
            joined = attributes.join(joined, profile.attributes)
    return attributes.current(joined)


def _counts(profiles: Sequence[ProfileState]) -> dict[str, int]:
    if not profiles:
        return dict.fromkeys(COUNTS, 0)
    sums = {name: read_count(profiles[0], name) for name in COUNTS}
    for profile in profiles[1:]:
        for name in COUNTS:
            sums[name] += read_count(profile, name)
    return sums


def _count_since(newest: list[Recent], started_ms: int | None) -> int:
    """Return how many of the recents, newest first, are not older than ``started_ms``."""
    if started_ms is None:
        return 0
    return next((n for n, recent in enumerate(newest) if recent.occurred_at_ms < started_ms), len(newest))


def _steps(
    known: Sequence[tuple[SessionState | None, ProfileState | None]], *, started_ms: int | None
) -> tuple[str, ...]:
    """Return the items of the newest steps since ``started_ms``, newest first; ``known`` is what each key holds."""
    if started_ms is None:
        return ()
    times: dict[str, int] = {}
    repeats: recents.Repeats = {}
    for session, profile in known:
        own = {} if profile is None else profile.recents
        if session is not None:
            own = {**own, **session.recents}  # where Redis forgot the session, the profile stands in
            for name, earlier in session.repeats.items():
                repeats.setdefault(name, []).extend(earlier)
        if not times:
            times = dict(own)
            continue
        for name, at_ms in own.items():  # another key's events are other events, but for orders that both report
            before = times.get(name, -1)
            times[name] = max(before, at_ms)
            if before >= 0 and name[0] in recents.REPEATED:
                repeats.setdefault(name, []).append(min(before, at_ms))
    newest = recents.newest_steps(times, repeats, keep=KEEP_SESSION_RECENTS)
    return tuple(name[1:] for name, at_ms in newest if at_ms >= started_ms)


def _newest_of(mappings: Sequence[dict[str, int]]) -> dict[str, int]:
    if len(mappings) == 1:
        return mappings[0]
    merged: dict[str, int] = {}
    for mapping in mappings:
        if not merged:
            merged = mapping.copy()
            continue
        for name, at_ms in mapping.items():
            if merged.get(name, -1) < at_ms:
                merged[name] = at_ms
    return merged


def _merged_cart(profiles: Sequence[ProfileState], *, now_ms: int) -> dict[str, int]:
    if len(profiles) == 1:
        return cart.content(profiles[0], now_ms=now_ms)
    whole = ProfileState()
    for profile in profiles:
        whole.cart_cleared = max(whole.cart_cleared, profile.cart_cleared)
        for item_id, (at_ms, quantity) in profile.cart.items():
            cart.put(whole, item_id, at_ms=at_ms, quantity=quantity)
    return cart.content(whole, now_ms=now_ms)


def _current_session_start(intervals: list[list[int]], *, now_ms: int) -> int | None:
    if intervals and intervals[-1][1] >= now_ms - SESSION_GAP_MS:
        return intervals[-1][0]
    return None
