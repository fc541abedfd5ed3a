"""``POST /v1/events``: bytes from browsers and servers become durable records; 202 means they are.

A request is read, its key checked in memory, its events validated one by one, put on the server's clock and handed
to the log: one record a user. What the log does not acknowledge in time goes to the spool on disk. No SQL runs here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tracking.access.bots import bot_class_of
from tracking.access.identity import ANONYMOUS_COOKIE, resolve
from tracking.access.quarantine import comes_from
from tracking.access.sites import KeyInfo
from tracking.collect.durable import Outcome
from tracking.collect.idempotency import Idempotency
from tracking.collect.live_events import LiveEvents
from tracking.contract.events import (
    KNOWN_EVENTS,
    MAX_EVENTS_BROWSER,
    MAX_EVENTS_SERVER,
    CustomEvent,
    RawEnvelope,
    log_key,
)
from tracking.contract.mending.event import Mend
from tracking.contract.parsing import ParsedEnvelope, Rejected, parse_events, read_envelope, read_untidy_envelope
from tracking.dead_letters.letter import DeadLetterRecord, from_rejected
from tracking.dead_letters.parked import REASON, letter_of, read_future
from tracking.error_codes import ErrorCode
from tracking.exceptions import FutureSchema, LogUnavailable, SpoolFull
from tracking.http.edge import RETRY_AFTER_S, Refusal, Reply, Request, set_cookie
from tracking.http.quotas import Quotas, sender_of
from tracking.log import RecordTooLarge
from tracking.metrics import BOT_EVENTS, EVENTS_COLLECTED, EVENTS_MENDED, EVENTS_QUARANTINED, EVENTS_REJECTED
from tracking.quality.counts import DECLARED_BOT, NETWORK_UNKNOWN, QualityCounts
from tracking.records import Built, Provenance, build_records, encode_records
from tracking.traces import spans
from tracking.traces.context import with_trace

logger = logging.getLogger(__name__)

MAX_WARNINGS: Final = 100
CUSTOM_LABEL: Final = "custom"  # shops name their own events; a label for each would grow without bound
_LABELS: Final[dict[type, str]] = {CustomEvent: CUSTOM_LABEL, **{kind: name for name, kind in KNOWN_EVENTS.items()}}
_ENCODER: Final = msgspec.json.Encoder()
_YES: Final = ("1", "true")


class Writer(Protocol):
    """Where records are safe once ``append_many`` said so; ``tracking.collect.durable.DurableWriter``."""

    async def append_many(self, records: Sequence[tuple[bytes, bytes]]) -> list[Outcome]:
        """Return, for each record, where it is safe now, or the error that says why it is not."""


class Letters(Protocol):
    """Takes dead letters without making anybody wait; ``tracking.dead_letters.letter.DeadLetterOutbox``."""

    def add(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Note letters."""

    async def append(self, letter: DeadLetterRecord) -> None:
        """Append one letter now; raises ``LogUnavailable`` where the log does not have it."""


class _Read(Struct, frozen=True):
    """The envelope of a request, what was done to its head, and whether its events may be mended."""

    envelope: RawEnvelope
    mends: tuple[Mend, ...]
    is_strict: bool


class RejectedEvent(Struct, frozen=True, kw_only=True):
    """One refused event in the answer."""

    index: int
    event_id: str | None
    error: str
    message: str
    field: str


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What collect answers with 202.

    ``warnings`` holds a code for what is true of the whole request, and a ``Mend`` for each value that was mended or
    dropped, of at most ``MAX_WARNINGS``.
    """

    accepted: int
    rejected: list[RejectedEvent]
    anonymous_id: str | None
    warnings: list[str | Mend]
    parked: int = 0  # events of a newer schema, kept until this server is upgraded


class Collector:
    """The handler of the endpoint, with what it hands over to."""

    def __init__(
        self,
        writer: Writer,
        *,
        quotas: Quotas,
        live: LiveEvents,
        quality: QualityCounts | None = None,
        letters: Letters | None = None,
        idempotency: Idempotency | None = None,
    ) -> None:
        self._writer = writer
        self._quotas = quotas
        self._live = live
        self._quality = quality or QualityCounts()
        self._letters = letters
        self._idempotency = idempotency
        self._counters: dict[tuple[str, str], Any] = {}

    async def collect(self, request: Request) -> Reply:
        """Answer one request."""
        is_strict = b"strict=" in request.scope.get("query_string", b"") and request.query.get("strict") in _YES
        try:
            read = _Read(
                *((read_envelope(request.body), ()) if is_strict else read_untidy_envelope(request.body)), is_strict
            )
        except FutureSchema as error:
            return await self._park(request, error)
        key = request.authenticate(read.envelope.key, scope="events")
        if not key.is_secret:
            self._quotas.take(
                "requests of an address",
                f"{key.site.slug}:{request.address_digest()}",
                amount=1,
                per_minute=key.site.address_requests_per_minute,
            )
            return await self._take(request, key, read)
        claim = request.headers.get(b"idempotency-key", b"").decode("latin-1")
        if not claim or self._idempotency is None:
            return await self._take(request, key, read)
        before = await self._idempotency.claim(key, claim, request.body)
        if before is not None:
            return before
        try:
            reply = await self._take(request, key, read)
        except BaseException:
            await self._idempotency.release(key, claim)
            raise
        await self._idempotency.keep(key, claim, request.body, reply)
        return reply

    async def _take(self, request: Request, key: KeyInfo, read: _Read) -> Reply:
        site = key.site
        max_events = MAX_EVENTS_SERVER if key.is_secret else MAX_EVENTS_BROWSER
        parsed = parse_events(read.envelope, max_events=max_events, is_strict=read.is_strict)
        parsed.mends[:0] = read.mends
        self._take_events(request, key, parsed.n_events, anonymous_id=read.envelope.anonymous_id)
        network = None if key.is_secret else request.network_tag(site.slug)
        if network is None and not key.is_secret and request.is_forwarded:
            self._quality.warn(site.slug, NETWORK_UNKNOWN, received_at_ms=request.received_at_ms)
        built = build_records(
            parsed,
            key=key,
            received_at_ms=request.received_at_ms,
            cookie_anonymous_id=request.cookie(ANONYMOUS_COOKIE),
            sender=Provenance(
                bot_class=None if key.is_secret else bot_class_of(request.user_agent),
                signals_gpc=request.signals_gpc,
                network=network,
            ),
        )
        if site.quarantined:
            _drop_quarantined(built, key)
        if built.records:
            await self._append(built)
        self._count(key, built, parsed, received_at_ms=request.received_at_ms)
        if parsed.rejected:
            self._refuse(key, parsed, built)
        for mend in parsed.mends:
            EVENTS_MENDED.labels(site.slug, mend.field, mend.done).inc()
        self._live.add(key, built, parsed, received_at_ms=request.received_at_ms)
        return self._reply(request, key, parsed, built)

    def _take_events(self, request: Request, key: KeyInfo, amount: int, *, anonymous_id: str | None) -> None:
        """Count events against the quota of their key, which pages share fairly; raises the 429."""
        sender = None
        if key.site.events_per_minute and not key.is_secret:
            named = anonymous_id or request.cookie(ANONYMOUS_COOKIE)
            sender = sender_of(request, site=key.site.slug, anonymous_id=named)
        self._quotas.take(
            "events",
            f"{key.site.slug}:{key.id}",
            amount=amount,
            per_minute=key.site.events_per_minute,
            sender=sender,
        )

    async def _park(self, request: Request, error: FutureSchema) -> Reply:
        """Keep an envelope of a newer schema until this server is upgraded; 202 means that the log has it."""
        future = read_future(request.body, error)
        key = request.authenticate(future.key, scope="events")
        site = key.site
        if not key.is_secret:
            self._quotas.take(
                "requests of an address",
                f"{site.slug}:{request.address_digest()}",
                amount=1,
                per_minute=site.address_requests_per_minute,
            )
        n_events = max(future.n_events, 1)
        self._take_events(request, key, n_events, anonymous_id=future.anonymous_id)
        answer = Answer(accepted=0, rejected=[], anonymous_id=None, warnings=[REASON], parked=n_events)
        if future.consent == "denied" or (request.signals_gpc and not key.is_secret and site.honours_gpc):
            warning = "consent_denied" if future.consent == "denied" else "global_privacy_control"
            return Reply(_ENCODER.encode(replace(answer, parked=0, warnings=[warning])), status=202)
        identity = resolve(
            key,
            anonymous_id=future.anonymous_id,
            cookie_anonymous_id=None if key.is_secret else request.cookie(ANONYMOUS_COOKIE),
            user_id=future.user_id,
            user_token=future.user_token,
            issue=not key.is_secret,
        )
        is_anybody = identity.user_id is not None or identity.anonymous_id is not None
        if self._letters is None:
            raise error
        try:
            letter = letter_of(
                future,
                key=key,
                identity=identity,
                log_key=log_key(site.slug, identity.user_key) if is_anybody else f"{site.slug}/".encode(),
                received_at_ms=request.received_at_ms,
                bot_class=None if key.is_secret else bot_class_of(request.user_agent),
                error=error,
            )
            await self._letters.append(letter)
        except RecordTooLarge as too_large:
            raise Refusal(413, ErrorCode.RECORD_TOO_LARGE, str(too_large), field="events") from too_large
        except LogUnavailable as error:
            raise Refusal(
                503, ErrorCode.UNAVAILABLE, f"the log takes nothing right now: {error}", retry_after_s=RETRY_AFTER_S
            ) from error
        warnings = [REASON, *identity.warnings]
        answer = replace(answer, anonymous_id=identity.anonymous_id, warnings=warnings)
        return Reply(_ENCODER.encode(answer), status=202)

    async def _append(self, built: Built) -> None:
        """Return once every record is durable; raises when one is not: the request is sent again, as a whole.

        Those of its records that are durable already come twice then, and are known by their event ids.
        """
        records = encode_records(built.records)
        span = spans.begin("log append", kind="producer")
        if span is None:
            outcomes = await self._writer.append_many(records)
        else:
            traceparent = span.traceparent
            outcomes = await self._writer.append_many([(key, with_trace(value, traceparent)) for key, value in records])
            span.end({"recsite.records": len(records), "recsite.spooled": outcomes.count("spool")})
        for outcome in outcomes:
            if isinstance(outcome, SpoolFull):
                raise outcome
            if isinstance(outcome, RecordTooLarge):
                raise Refusal(413, ErrorCode.RECORD_TOO_LARGE, str(outcome), field="events") from outcome

    def _refuse(self, key: KeyInfo, parsed: ParsedEnvelope, built: Built) -> None:
        """Count what was refused and write it down for the staff; whoever has no user leaves no letter."""
        letters = []
        for event in parsed.rejected:
            EVENTS_REJECTED.labels(key.site.slug, event.error).inc()
            head = built.head_of(event.index)
            if head is not None:
                owner = log_key(head.site, head.user_key)
                letters.append(from_rejected(event, head=head, key=owner, sent_at=parsed.envelope.sent_at))
        if self._letters is not None:
            self._letters.add(letters)

    def _reply(self, request: Request, key: KeyInfo, parsed: ParsedEnvelope, built: Built) -> Reply:
        rejected = [_named(event) for event in parsed.rejected]
        if len(rejected) == parsed.n_events:
            first = parsed.rejected[0]
            raise Refusal(
                400, first.error, first.message, field=first.field, extra={"accepted": 0, "rejected": rejected}
            )
        answer = Answer(
            accepted=built.accepted,
            rejected=rejected,
            anonymous_id=built.anonymous_id,
            warnings=[*dict.fromkeys(built.warnings), *parsed.mends[:MAX_WARNINGS]],
        )
        reply = Reply(_ENCODER.encode(answer), status=202)
        may_keep_cookie = parsed.envelope.consent == "granted" and bool(built.records)
        if built.anonymous_id is not None and not key.is_secret and may_keep_cookie:
            # Set each time, also where the SDK set it: what script sets lives seven days in Safari.
            reply.headers.append(set_cookie(ANONYMOUS_COOKIE, built.anonymous_id, is_secure=request.is_https))
        return reply

    def _count(self, key: KeyInfo, built: Built, parsed: ParsedEnvelope, *, received_at_ms: int) -> None:
        kinds: dict[type, int] = {}
        for record in built.records:
            for event in (*record.events, *record.custom) if record.custom else record.events:
                kind = type(event)
                kinds[kind] = kinds.get(kind, 0) + 1
            if record.ctx.bot:
                n_events = len(record.events) + len(record.custom)
                BOT_EVENTS.labels(key.site.slug, record.ctx.bot_class or DECLARED_BOT).inc(n_events)
        for kind, n_events in kinds.items():
            self._counter(key.site.slug, _LABELS[kind]).inc(n_events)
        self._quality.add(key.site.slug, built, parsed, kinds=kinds, received_at_ms=received_at_ms)

    def _counter(self, site: str, name: str) -> Any:
        counter = self._counters.get((site, name))
        if counter is None:
            counter = self._counters[site, name] = EVENTS_COLLECTED.labels(site, name)
        return counter


def _drop_quarantined(built: Built, key: KeyInfo) -> None:
    """Leave out what comes from a source that staff quarantined; the answer stays as it is, and tells it nothing."""
    names = key.site.quarantined
    kept = [record for record in built.records if not comes_from(record, names)]
    dropped = sum(len(record.events) + len(record.custom) for record in built.records)
    dropped -= sum(len(record.events) + len(record.custom) for record in kept)
    if dropped:
        EVENTS_QUARANTINED.labels(key.site.slug).inc(dropped)
        built.records[:] = kept


def _named(event: Rejected) -> RejectedEvent:
    return RejectedEvent(
        index=event.index, event_id=event.event_id, error=event.error, message=event.message, field=event.field
    )
