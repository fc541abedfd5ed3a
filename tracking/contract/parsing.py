"""Bytes to validated events, or an ``InvalidEvent`` that names the field, the value and the remedy."""

from __future__ import annotations

import difflib
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from tracking.contract.events import (
    KNOWN_EVENTS,
    MAX_EVENT_BYTES,
    SCHEMA_MAJOR,
    CustomEvent,
    Event,
    EventRecord,
    ForwardedRecord,
    RawEnvelope,
    RawGroup,
)
from tracking.contract.mending.envelope import mend_envelope, read_json
from tracking.contract.mending.event import Mend, Useless
from tracking.contract.mending.raw import is_foreign, mend_raw
from tracking.contract.placeholders import are_ids_tidy, untidy_id
from tracking.contract.refusals import explained
from tracking.error_codes import ErrorCode
from tracking.exceptions import FutureSchema, InvalidEvent

MAX_DEPTH: Final = 32
UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises: text inside values of any type is decoded late, with Python's own error."""
_ENVELOPE: Final = msgspec.json.Decoder(RawEnvelope)
_EVENTS: Final = msgspec.json.Decoder(Event)
_EVENT_LIST: Final = msgspec.json.Decoder(list[Event])
_CUSTOM: Final = msgspec.json.Decoder(CustomEvent)
_RECORD: Final = msgspec.json.Decoder(EventRecord)
_FORWARDED: Final = msgspec.json.Decoder(ForwardedRecord)
FORWARDED_MARK: Final = b'"forwarded":'
_ENCODER: Final = msgspec.json.Encoder()
_PATH: Final = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")


class Rejected(Struct, frozen=True, kw_only=True):
    """One event that was not accepted, as the reply and the dead letter name it."""

    index: int
    event_id: str | None
    error: ErrorCode
    message: str
    field: str
    raw: bytes = b""


class ParsedGroup(Struct, kw_only=True):
    """The events of one user as they came, and the good ones among them with their index in ``raw``."""

    envelope: RawEnvelope | RawGroup
    prefix: str
    first_index: int
    good: list[tuple[int, Event | CustomEvent]] = []

    def reject(self, index: int, error: InvalidEvent) -> Rejected:
        """Return why the event at ``index`` of the group is refused."""
        raw = bytes(self.envelope.events[index])
        return Rejected(
            index=self.first_index + index,
            event_id=_event_id_of(raw),
            error=error.code,
            message=error.reason,
            field=error.field,
            raw=raw,
        )


class ParsedEnvelope(Struct, kw_only=True):
    """An envelope with its good events decoded, user by user, its bad ones named, and what was mended in it."""

    envelope: RawEnvelope
    groups: list[ParsedGroup]
    rejected: list[Rejected]
    n_events: int
    mends: list[Mend] = []


def read_envelope(body: bytes) -> RawEnvelope:
    """Return the envelope of ``body`` with its events still raw.

    Raises
    ------
    InvalidEvent
        It cannot be read, so that no event of it can be kept.
    FutureSchema
        It has a higher major version than this server knows.
    """
    try:
        envelope = _ENVELOPE.decode(body)
    except UNREADABLE as error:
        version = _version_of(body)
        if version is not None:
            check_version(version)
        raise _invalid(error, RawEnvelope, body, prefix="") from error
    check_version(envelope.v)
    if b"\\u0000" in body:
        _refuse_nul(_without_events(envelope), "")
    return envelope


def read_untidy_envelope(body: bytes) -> tuple[RawEnvelope, tuple[Mend, ...]]:
    """Return the envelope that ``body`` means where it is not the contract's, and what was done for it.

    Raises
    ------
    InvalidEvent
        It has no reading: it is no JSON object, or says a consent that is none.
    FutureSchema
        It has a higher major version than this server knows.
    """
    try:
        return read_envelope(body), ()
    except FutureSchema:
        raise
    except InvalidEvent as error:
        try:
            head = read_json(body)
            if not isinstance(head, dict):
                raise error
            return mend_envelope(head)
        except (ValueError, RecursionError):
            raise error from None


def parse_envelope(body: bytes, *, max_events: int, is_strict: bool = True) -> ParsedEnvelope:
    """Return the good events of ``body`` and, one by one, why the others are refused; raises as ``read_envelope``."""
    envelope, mends = (read_envelope(body), ()) if is_strict else read_untidy_envelope(body)
    parsed = parse_events(envelope, max_events=max_events, is_strict=is_strict)
    parsed.mends[:0] = mends
    return parsed


def parse_events(envelope: RawEnvelope, *, max_events: int, is_strict: bool = True) -> ParsedEnvelope:
    """Return the good events of ``envelope`` and, one by one, why the others are refused.

    An event that is not the contract's is refused where ``is_strict``, and else mended where it has a reading.
    Tidy events cost the same in both: mending begins where the contract's own decoder ends.

    Raises
    ------
    InvalidEvent
        There are no events, or too many.
    """
    n_events = len(envelope.events) + sum(len(group.events) for group in envelope.records)
    if n_events == 0:
        raise InvalidEvent("events", "is missing or empty; send at least one event")
    if n_events > max_events:
        raise InvalidEvent(
            "events", f"holds {n_events} events; send at most {max_events} a request", code=ErrorCode.TOO_MANY_EVENTS
        )
    parsed = ParsedEnvelope(envelope=envelope, groups=[], rejected=[], n_events=n_events)
    if envelope.events:
        parsed.groups.append(ParsedGroup(envelope=envelope, prefix="events", first_index=0))
    first_index = len(envelope.events)
    for number, raw_group in enumerate(envelope.records):
        parsed.groups.append(
            ParsedGroup(envelope=raw_group, prefix=f"records[{number}].events", first_index=first_index)
        )
        first_index += len(raw_group.events)
    for group in parsed.groups:
        if (events := _parse_at_once(group.envelope.events)) is not None:
            group.good.extend(enumerate(events))
            continue
        for index, raw in enumerate(group.envelope.events):
            try:
                event = _read_event(raw, parsed.mends, prefix=f"{group.prefix}[{index}]", is_strict=is_strict)
            except InvalidEvent as error:
                parsed.rejected.append(group.reject(index, error))
            else:
                group.good.append((index, event))
    return parsed


def _read_event(raw: msgspec.Raw, mends: list[Mend], *, prefix: str, is_strict: bool) -> Event | CustomEvent:
    """Return the event, mended where it must and may be; notes what was done in ``mends``."""
    try:
        event = parse_event(raw, prefix=prefix, explains=is_strict)
        is_readable_otherwise = isinstance(event, CustomEvent) and is_foreign(event)
        if is_strict or not (is_readable_otherwise or untidy_id(event)):
            return event
        error = None
    except InvalidEvent as refused:
        if is_strict:
            raise
        error = refused
    try:
        mended = mend_raw(bytes(raw), prefix=prefix)
    except Useless as useless:
        if error is None:
            return event
        stands_for_nothing = useless.is_missing and error.field == f"{prefix}.{useless.field}"
        if error.code is ErrorCode.UNKNOWN_EVENT or not useless.field or stands_for_nothing:
            parse_event(raw, prefix=prefix)
            raise error from None
        raise InvalidEvent(f"{prefix}.{useless.field}", useless.reason, code=ErrorCode.INVALID_EVENT) from None
    if isinstance(mended.event, CustomEvent):
        _check_custom(mended.event, prefix)
    _refuse_placeholder(mended.event, prefix)
    mends.extend(mended.mends)
    return mended.event


def _parse_at_once(raws: list[msgspec.Raw]) -> list[Event] | None:
    """Return events that are all of the contract's own kinds, in half the time of one by one; None where one is not."""
    data = b"[" + b",".join(raws) + b"]"
    if b"\\u0000" in data or (len(data) > MAX_EVENT_BYTES and any(len(bytes(raw)) > MAX_EVENT_BYTES for raw in raws)):
        return None
    try:
        events = _EVENT_LIST.decode(data)
    except UNREADABLE:
        return None
    return events if are_ids_tidy(events) else None


def parse_event(raw: bytes | msgspec.Raw, *, prefix: str = "event", explains: bool = True) -> Event | CustomEvent:
    """Return one event of the contract; unknown names in GA4's form become custom events.

    Raises
    ------
    InvalidEvent
        Its reason names value and remedy; without ``explains``, in a fraction of the time, only what was expected.
    """
    data = bytes(raw)
    if len(data) > MAX_EVENT_BYTES:
        raise InvalidEvent(
            prefix, f"has {len(data)} bytes; the most is {MAX_EVENT_BYTES}", code=ErrorCode.EVENT_TOO_LARGE
        )
    try:
        event: Event | CustomEvent = _EVENTS.decode(data)
    except UNREADABLE as error:
        if not isinstance(error, msgspec.ValidationError) or "Invalid value" not in str(error):
            raise _invalid(error, Event, data if explains else None, prefix=prefix) from error
        event = _parse_custom(data, prefix=prefix, explains=explains)
    if b"\\u0000" in data:
        _refuse_nul(msgspec.json.decode(data), prefix)
    _refuse_placeholder(event, prefix)
    return event


def _refuse_placeholder(event: Event | CustomEvent, prefix: str) -> None:
    """Raise for an order or an item whose id stands for nothing: all that have it would be one."""
    found = untidy_id(event)
    if found is not None and found[2]:
        path, value, _ = found
        raise InvalidEvent(
            f"{prefix}.{path}", f"{value!r} stands for no id; send the one that your shop gave it, or nothing at all"
        )


def _parse_custom(data: bytes, *, prefix: str, explains: bool) -> CustomEvent:
    sent = data if explains else None
    try:
        event = _CUSTOM.decode(data)
    except UNREADABLE as error:
        raise _invalid(error, CustomEvent, sent, prefix=prefix) from error
    if event.event in KNOWN_EVENTS:  # a known event whose params hold an invalid value
        try:
            _EVENTS.decode(data)
        except UNREADABLE as error:
            raise _invalid(error, Event, sent, prefix=prefix) from error
    _check_custom(event, prefix)
    return event


def _check_custom(event: CustomEvent, prefix: str) -> None:
    """Raise for an event of the shop's own that is more likely a mistyped one of ours, or nested too deep."""
    near = difflib.get_close_matches(event.event, KNOWN_EVENTS, n=1, cutoff=0.88)
    if near:
        raise InvalidEvent(
            f"{prefix}.event",
            f"{event.event!r} is not a known event; did you mean {near[0]!r}?",
            code=ErrorCode.UNKNOWN_EVENT,
        )
    if _depth(event.params) > MAX_DEPTH:
        raise InvalidEvent(f"{prefix}.params", f"is nested more than {MAX_DEPTH} deep; flatten it")


def parse_record(value: bytes) -> EventRecord:
    """Return the record that a log entry holds; the stream worker and replays read with it.

    Raises
    ------
    InvalidEvent
        The bytes break the contract: a dead letter, never to be retried.
    FutureSchema
        A newer writer made it: park it and replay it after an upgrade.
    """
    try:
        record = _FORWARDED.decode(value) if value.rfind(FORWARDED_MARK) >= 0 else _RECORD.decode(value)
    except UNREADABLE as error:
        version = _version_of(value)
        if version is not None:
            check_version(version)
        raise _invalid(error, EventRecord, value, prefix="record") from error
    check_version(record.v)
    if record.user_id is None and record.anonymous_id is None:
        raise InvalidEvent("record.anonymous_id", "neither anonymous_id nor user_id is present; a record needs one")
    return record


def encode_record(record: EventRecord) -> bytes:
    """Return the record as the JSON that stands in the log."""
    return _ENCODER.encode(record)


def check_version(version: str) -> None:
    """Raise ``FutureSchema`` when ``version`` has a higher major than this server knows."""
    major = int(version.partition(".")[0])
    if major > SCHEMA_MAJOR:
        raise FutureSchema(
            "v",
            f"{version!r} is a newer schema than this server's {SCHEMA_MAJOR}.x; it is parked until an upgrade",
            code=ErrorCode.FUTURE_SCHEMA,
        )


def _invalid(error: Exception, kind: Any, sent: bytes | None, *, prefix: str) -> InvalidEvent:
    """Return what msgspec says, as a field path and a reason; of the request itself where there is no ``prefix``.

    ``sent`` was read as ``kind``; without it, the reason names neither value nor remedy.
    """
    if isinstance(error, RecursionError):
        code = ErrorCode.TOO_DEEP if prefix else ErrorCode.INVALID_REQUEST
        return InvalidEvent(prefix or "body", "is nested too deep; flatten it", code=code)
    is_json = isinstance(error, msgspec.ValidationError)
    code = ErrorCode.INVALID_EVENT if is_json else ErrorCode.INVALID_JSON
    if not prefix:
        code = ErrorCode.INVALID_REQUEST
    if not is_json:
        return InvalidEvent(prefix or "body", f"is not valid JSON: {_PATH.sub('', str(error))}", code=code)
    path, reason = explained(error, kind, sent if sent is not None else b"")
    return InvalidEvent(".".join(part for part in (prefix, path) if part) or "body", reason, code=code)


def _event_id_of(raw: bytes | msgspec.Raw) -> str | None:
    """Return the id of a refused event where it can be read, so that the client can drop it."""

    class _Id(Struct):
        event_id: str | None = None

    try:
        return msgspec.json.decode(bytes(raw), type=_Id).event_id
    except UNREADABLE:
        return None


def _version_of(value: bytes) -> str | None:
    class _Version(Struct):
        v: str

    try:
        version = msgspec.json.decode(value, type=_Version).v
    except UNREADABLE:
        return None
    return version if re.fullmatch(r"\d{1,4}\.\d{1,4}", version) else None


def _without_events(envelope: RawEnvelope) -> dict[str, Any]:
    head: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(envelope, events=[], records=[]))
    head["records"] = [msgspec.to_builtins(msgspec.structs.replace(group, events=[])) for group in envelope.records]
    return head


def _refuse_nul(value: Any, path: str) -> None:
    """Raise for a U+0000 anywhere: PostgreSQL's text type refuses it."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidEvent(
                path or "body", "holds the character U+0000; remove it", code=ErrorCode.INVALID_CHARACTER
            )
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nul(name, path)
            _refuse_nul(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{path}[{index}]")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(inner) for inner in value), default=0)
    return 0
