"""Envelopes of a newer schema: kept as they came, and read once this server was upgraded.

Only what every version has is looked at: key, ids, consent. Who sent it is found out now, because a token that proves
it lives minutes and an upgrade may take days; the token and the key are not kept. Everything else is for later.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from tracking.access.identity import Identity
from tracking.access.sites import KeyInfo, KeyKind, SiteInfo
from tracking.contract.events import MAX_EVENTS_BROWSER, MAX_EVENTS_SERVER, BotClass, EventRecord
from tracking.contract.parsing import UNREADABLE, encode_record, parse_events, parse_record, read_envelope
from tracking.dead_letters.letter import MAX_RAW_BYTES, DeadLetterRecord
from tracking.exceptions import FutureSchema, InvalidEvent
from tracking.log import RecordTooLarge
from tracking.records import Provenance, build_records

REASON: Final = "future_schema"
_NOT_KEPT: Final = ("key", "user_token")
_MAX_TEXT: Final = 4_096
_USER_ID: Final = re.compile(r"[^\0]{1,128}")


class FutureEnvelope(Struct, frozen=True, kw_only=True):
    """What can be said of an envelope whose schema is not known yet."""

    key: str | None
    anonymous_id: str | None
    user_id: str | None
    user_token: str | None
    consent: str | None
    n_events: int
    fields: dict[str, msgspec.Raw]


class ParkedEnvelope(Struct, frozen=True, kw_only=True):
    """What stands in the letter's ``raw``, as JSON."""

    parked: bool
    site: str
    received_at_ms: int
    kind: KeyKind
    anonymous_id: str | None
    user_id: str | None
    is_bot: bool
    envelope: dict[str, msgspec.Raw]
    bot_class: BotClass | None = None


_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PARKED: Final = msgspec.json.Decoder(ParkedEnvelope)


def read_future(body: bytes, error: FutureSchema) -> FutureEnvelope:
    """Return what can be said of ``body``; raises ``error`` when it is not even an object."""
    try:
        fields = _FIELDS.decode(body)
    except UNREADABLE:
        raise error from None
    user_id = _text(fields, "user_id")
    return FutureEnvelope(
        key=_text(fields, "key"),
        anonymous_id=_text(fields, "anonymous_id"),
        user_id=user_id if user_id is not None and _USER_ID.fullmatch(user_id) else None,
        user_token=_text(fields, "user_token"),
        consent=_text(fields, "consent"),
        n_events=_count(fields),
        fields={name: raw for name, raw in fields.items() if name not in _NOT_KEPT},
    )


def letter_of(
    future: FutureEnvelope,
    *,
    key: KeyInfo,
    identity: Identity,
    log_key: bytes,
    received_at_ms: int,
    bot_class: BotClass | None,
    error: FutureSchema,
) -> DeadLetterRecord:
    """Return the letter that keeps the envelope; raises ``RecordTooLarge``."""
    raw = msgspec.json.encode(
        ParkedEnvelope(
            parked=True,
            site=key.site.slug,
            received_at_ms=received_at_ms,
            kind=key.kind,
            anonymous_id=identity.anonymous_id,
            user_id=identity.user_id,
            is_bot=bot_class is not None,
            bot_class=bot_class,
            envelope=future.fields,
        )
    )
    if len(raw) > MAX_RAW_BYTES:
        raise RecordTooLarge(
            f"the body has {len(raw)} bytes; of a newer schema at most {MAX_RAW_BYTES} are kept: send fewer events"
        )
    said = msgspec.json.encode(future.fields)
    return DeadLetterRecord(
        site=key.site.slug,
        reason=REASON,
        field=error.field,
        detail=error.reason,
        origin="collect",
        key=log_key,
        raw=raw,
        occurred_at_ms=received_at_ms,
        # Without the time: a request that is sent again is one letter.
        fingerprint=hashlib.sha256(b"\0".join((log_key, REASON.encode(), said))).hexdigest(),
    )


def read_parked(raw: bytes) -> ParkedEnvelope | None:
    """Return the envelope that a letter's ``raw`` keeps, or ``None`` when it is a letter of another kind."""
    try:
        return _PARKED.decode(raw)
    except UNREADABLE:
        return None


def revive_parked(parked: ParkedEnvelope, *, site: SiteInfo) -> list[EventRecord]:
    """Return the records of an envelope that this server can read by now.

    Raises
    ------
    FutureSchema
        It still cannot.
    InvalidEvent
        The envelope, or an event of it, breaks the contract; or nothing of it may be kept.
    """
    parsed = parse_events(
        read_envelope(msgspec.json.encode(parked.envelope)),
        max_events=MAX_EVENTS_SERVER if parked.kind == "sk" else MAX_EVENTS_BROWSER,
    )
    built = build_records(
        parsed,
        key=KeyInfo(id="parked", kind=parked.kind, prefix="", site=site, expires_at=None),
        received_at_ms=parked.received_at_ms,
        sender=Provenance(bot_class=parked.bot_class or ("crawler" if parked.is_bot else None)),
        vouched=Identity(anonymous_id=parked.anonymous_id, user_id=parked.user_id),
    )
    if parsed.rejected:
        first = parsed.rejected[0]
        raise InvalidEvent(f"envelope.{first.field}", first.message, code=first.error)
    if not built.records:
        raise InvalidEvent("envelope.consent", "forbids to keep any of it; discard the letter")
    return [parse_record(encode_record(record)) for record in built.records]


def _text(fields: dict[str, msgspec.Raw], name: str) -> str | None:
    """Return a field that is a text of a sane length; a newer schema may have made it anything else."""
    value = _value(fields, name, str)
    return value if value is not None and len(value) <= _MAX_TEXT else None


def _count(fields: dict[str, msgspec.Raw]) -> int:
    groups = _value(fields, "records", list[dict[str, msgspec.Raw]]) or []
    return sum(len(_value(each, "events", list[msgspec.Raw]) or []) for each in (fields, *groups))


def _value(fields: dict[str, msgspec.Raw], name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(fields[name], type=kind) if name in fields else None
    except UNREADABLE:
        return None
