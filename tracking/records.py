"""From a parsed envelope to the records that the log carries: one clock, one user a record.

Every time in a record is on the server's clock. A browser's clock may be hours wrong, so what is taken from it is
only how long before its sending an event happened.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from tracking.access.identity import Identity, resolve, verify_token
from tracking.access.sites import KeyInfo
from tracking.contract.events import (
    SCHEMA_VERSION,
    BotClass,
    Context,
    CustomEvent,
    Event,
    EventRecord,
    Identify,
    log_key,
)
from tracking.contract.parsing import ParsedEnvelope, ParsedGroup, encode_record
from tracking.contract.placeholders import is_placeholder
from tracking.contract.traits import read_traits
from tracking.error_codes import ErrorCode
from tracking.exceptions import InvalidEvent
from tracking.log.base import MAX_RECORD_BYTES
from tracking.metrics import CLAMPED_TIMES

DAY_MS: Final = 86_400_000
MAX_BROWSER_AGE_MS: Final = 7 * DAY_MS
MAX_SERVER_AGE_MS: Final = 3_653 * DAY_MS
OLDEST_IMPORT_MS: Final = 4_102_444_800  # what the year 2100 is in seconds: below, a time is no time in milliseconds
FUTURE_TOLERANCE_MS: Final = 5 * 60_000
_MAX_VALUE_BYTES: Final = MAX_RECORD_BYTES - 10_000  # the rest is for the key and the log's own framing

_SPECIAL: Final = frozenset({CustomEvent, Identify})
"""Events that do not just go into the record of their sender."""

Source = Literal["browser", "server", "import"]


class Provenance(NamedTuple):
    """What is known of who sent a request, besides what its body says.

    Attributes
    ----------
    bot_class : BotClass or None
        The kind of program; None for a browser or a shop's server.
    signals_gpc : bool
        Whether the browser sends Global Privacy Control.
    network : int or None
        Tag of the page's network on the day of the request; None where it tells nobody apart.
    """

    bot_class: BotClass | None = None
    signals_gpc: bool = False
    network: int | None = None


NOBODY: Final = Provenance()


class Clock(Struct, frozen=True, kw_only=True):
    """Turns the sender's times of one request into the server's."""

    received_at_ms: int
    ahead_ms: int  # what the server's clock is ahead of the sender's
    source: Source

    @classmethod
    def of(cls, sent_at_ms: int | None, *, received_at_ms: int, source: Source) -> Clock:
        """Return the clock of a request; without ``sent_at``, and for imports, times are taken as they are."""
        ahead_ms = 0 if sent_at_ms is None or source == "import" else received_at_ms - sent_at_ms
        return cls(received_at_ms=received_at_ms, ahead_ms=ahead_ms, source=source)

    def untouched(self) -> tuple[int, int]:
        """Return the first and the last of the sender's times that need nothing but ``ahead_ms`` added to them."""
        return self.received_at_ms - self.ahead_ms - MAX_BROWSER_AGE_MS, self.received_at_ms - self.ahead_ms

    def occurred_at_ms(self, ts: int) -> int:
        """Return when it happened: never in the future, and from browsers at most seven days ago.

        Raises
        ------
        InvalidEvent
            A server's event is older than ten years, or an import's lies before 17 February 1970: more likely seconds
            sent for milliseconds.
        """
        occurred = ts + self.ahead_ms
        if occurred > self.received_at_ms:
            if occurred > self.received_at_ms + FUTURE_TOLERANCE_MS:
                CLAMPED_TIMES.labels("future").inc()
            return self.received_at_ms
        if self.source == "browser":
            oldest = self.received_at_ms - MAX_BROWSER_AGE_MS
            if occurred < oldest:
                CLAMPED_TIMES.labels("past").inc()
                return oldest
        elif self.source == "import":
            if occurred < OLDEST_IMPORT_MS:
                raise InvalidEvent("ts", f"{ts} is in seconds; send milliseconds since 1970", code=ErrorCode.TOO_OLD)
        elif occurred < self.received_at_ms - MAX_SERVER_AGE_MS:
            reason = f"{ts} is more than ten years ago; send milliseconds since 1970, and history with source 'import'"
            raise InvalidEvent("ts", reason, code=ErrorCode.TOO_OLD)
        return occurred


class Built(Struct, kw_only=True):
    """What of a request goes into the log, and what its answer says."""

    records: list[EventRecord] = []
    accepted: int = 0
    anonymous_id: str | None = None
    warnings: list[str] = []
    heads: list[tuple[range, EventRecord]] = []  # indexes in the request, and the record their events belong to

    def head_of(self, index: int) -> EventRecord | None:
        """Return the record, still empty, to which the event at ``index`` of the request belongs."""
        return next((head for indexes, head in self.heads if index in indexes), None)


def build_records(
    parsed: ParsedEnvelope,
    *,
    key: KeyInfo,
    received_at_ms: int,
    cookie_anonymous_id: str | None = None,
    sender: Provenance = NOBODY,
    vouched: Identity | None = None,
) -> Built:
    """Return one record a user, in the order of the request; adds to ``parsed.rejected`` what has no user or no time.

    Consent ``denied``, and Global Privacy Control where the site honours it, leave nothing of a user. An ``identify``
    that proves its user by a token of its own gets a record of its own, under the user's key, that names both ids.
    ``vouched`` is whom the sender was found to be when the request came, where that is some time ago.
    """
    envelope = parsed.envelope
    source: Source = envelope.source if key.is_secret else "browser"
    if envelope.records and not key.is_secret:
        raise InvalidEvent("records", "needs a secret key; send 'events' of one user", code=ErrorCode.SECRET_KEY_NEEDED)
    clock = Clock.of(envelope.sent_at, received_at_ms=received_at_ms, source=source)
    built = Built()
    for number, group in enumerate(parsed.groups):
        is_own = group.envelope is envelope
        if group.envelope.consent == "denied":
            built.warnings.append("consent_denied")
            continue
        if sender.signals_gpc and not key.is_secret and key.site.honours_gpc:
            built.warnings.append("global_privacy_control")
            continue
        if vouched is not None and is_own:
            identity = vouched
        else:
            identity = resolve(
                key,
                anonymous_id=group.envelope.anonymous_id,
                cookie_anonymous_id=None if key.is_secret else cookie_anonymous_id,
                user_id=group.envelope.user_id,
                user_token=envelope.user_token if is_own else None,
                issue=not key.is_secret,
            )
        built.warnings.extend(identity.warnings)
        if identity.user_id is None and identity.anonymous_id is None:
            field = "user_id" if is_own else f"records[{number - bool(envelope.events)}].user_id"
            error = InvalidEvent(
                field, "is missing, and so is anonymous_id; send one of them", code=ErrorCode.MISSING_USER
            )
            parsed.rejected.extend(group.reject(index, error) for index, _ in group.good)
            continue
        if is_own:
            built.anonymous_id = identity.anonymous_id
        _set_times(parsed, group, clock)
        head = EventRecord(
            v=SCHEMA_VERSION,
            site=key.site.slug,
            received_at_ms=received_at_ms,
            anonymous_id=identity.anonymous_id,
            user_id=identity.user_id,
            consent=group.envelope.consent,
            source=source,
            ctx=_context(group.envelope.ctx, bot_class=sender.bot_class),
            network=None if key.is_secret else sender.network,
        )
        indexes = range(group.first_index, group.first_index + len(group.envelope.events))
        built.heads.append((indexes, head))
        _add_records(built, head, group, identity, key=key)
    return built


def _set_times(parsed: ParsedEnvelope, group: ParsedGroup, clock: Clock) -> None:
    """Put the events of a group on the server's clock; drop and name those that are too old."""
    too_old: set[int] = set()
    oldest, newest = clock.untouched()
    for index, event in group.good:
        if oldest <= event.occurred_at_ms <= newest:
            if clock.ahead_ms:
                force_setattr(event, "occurred_at_ms", event.occurred_at_ms + clock.ahead_ms)
            continue
        try:
            # Decoded a moment ago and nobody else's yet, so setting a field of a frozen struct is safe; 20 x faster.
            force_setattr(event, "occurred_at_ms", clock.occurred_at_ms(event.occurred_at_ms))
        except InvalidEvent as error:
            named = InvalidEvent(f"{group.prefix}[{index}].{error.field}", error.reason, code=error.code)
            parsed.rejected.append(group.reject(index, named))
            too_old.add(index)
    if too_old:
        group.good = [pair for pair in group.good if pair[0] not in too_old]


def _add_records(built: Built, head: EventRecord, group: ParsedGroup, identity: Identity, *, key: KeyInfo) -> None:
    if group.good and {type(event) for _, event in group.good}.isdisjoint(_SPECIAL):
        built.records.append(replace(head, events=tuple([event for _, event in group.good])))
        built.accepted += len(group.good)
        return
    events: list[Event] = []
    custom: list[CustomEvent] = []
    proven: list[EventRecord] = []
    for _, event in group.good:
        if isinstance(event, CustomEvent):
            custom.append(event)
        elif isinstance(event, Identify):
            said, user_id = _identify(event, identity, key=key, warnings=built.warnings)
            if user_id is None or user_id == identity.user_id:
                events.append(said)
            else:  # another user than the envelope's: never let one anonymous id join two known users
                anonymous_id = head.anonymous_id if identity.user_id is None else None
                proven.append(replace(head, user_id=user_id, anonymous_id=anonymous_id, events=(said,)))
        else:
            events.append(event)
    if events or custom:
        built.records.append(replace(head, events=tuple(events), custom=tuple(custom)))
    built.records.extend(proven)
    built.accepted += len(group.good)


def _identify(event: Identify, identity: Identity, *, key: KeyInfo, warnings: list[str]) -> tuple[Identify, str | None]:
    """Return the event without its token, and the user it proves."""
    token, user_id = event.params.token, event.params.user_id
    read = read_traits(event.params.traits)
    if read.n_mended:
        warnings.append("traits_mended")
    bare = event
    if token is not None or read.n_mended:
        bare = replace(event, params=replace(event.params, token=None, traits=read.traits))
    if is_placeholder(user_id):
        warnings.append("user_id_placeholder")
        return bare, None
    if key.is_secret or user_id == identity.user_id:
        return bare, user_id
    claim = verify_token(key.site, token, expected_user_id=user_id)
    if claim.warning is not None:
        warnings.append(claim.warning)
    return bare, claim.user_id


def _context(ctx: Context, *, bot_class: BotClass | None) -> Context:
    """Return the context with what its sender was found to be; a page's word of itself counts where that is no bot."""
    if bot_class is not None:
        return replace(ctx, bot=True, bot_class=bot_class)
    return ctx if ctx.bot or ctx.bot_class is None else replace(ctx, bot_class=None)


def encode_records(records: list[EventRecord]) -> list[tuple[bytes, bytes]]:
    """Return ``(key, value)`` for the log, in order; a record too large for it becomes several."""
    pairs: list[tuple[bytes, bytes]] = []
    for record in records:
        key = log_key(record.site, record.user_key)
        value = encode_record(record)
        if len(value) <= _MAX_VALUE_BYTES:
            pairs.append((key, value))
        else:
            pairs.extend(encode_records(_halves(record)))
    return pairs


def _halves(record: EventRecord) -> list[EventRecord]:
    if len(record.events) + len(record.custom) < 2:
        raise InvalidEvent("events", "holds an event that is too large for the log", code=ErrorCode.EVENT_TOO_LARGE)
    if record.events and record.custom:
        return [replace(record, custom=()), replace(record, events=())]
    middle_event, middle_custom = len(record.events) // 2, len(record.custom) // 2
    return [
        replace(record, events=record.events[:middle_event], custom=record.custom[:middle_custom]),
        replace(record, events=record.events[middle_event:], custom=record.custom[middle_custom:]),
    ]
