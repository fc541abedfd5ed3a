"""Whether the server would take an event: the same decoders, paths and messages, before the event is queued.

The structs are generated from the server's contract. A test of the product holds this check against the server's
parser, valid and invalid events alike.
"""

from __future__ import annotations

import difflib
from typing import Any, Final

import msgspec

from recsite_client.contract import KNOWN_EVENTS, MAX_EVENT_BYTES, CustomEvent, Event
from recsite_client.exceptions import InvalidEvent
from recsite_client.refusals import explained

MAX_DEPTH: Final = 32
_EVENT: Final = msgspec.json.Decoder(Event)
_CUSTOM: Final = msgspec.json.Decoder(CustomEvent)


def check_event(event: bytes) -> None:
    """Raise ``InvalidEvent`` for an event that the server would refuse; ``event`` is JSON."""
    if len(event) > MAX_EVENT_BYTES:
        raise InvalidEvent("event", f"has {len(event)} bytes; the most is {MAX_EVENT_BYTES}", code="event_too_large")
    try:
        _check(event)
    except RecursionError as error:
        raise InvalidEvent("event", "is nested too deep; flatten it", code="too_deep") from error
    if b"\\u0000" in event:
        _refuse_nul(msgspec.json.decode(event), "event")


def _check(event: bytes) -> None:
    try:
        _EVENT.decode(event)
    except msgspec.ValidationError as error:
        if "Invalid value" not in str(error):
            raise _invalid(error, Event, event) from error
        _check_custom(event)


def _check_custom(event: bytes) -> None:
    kind: Any = CustomEvent
    try:
        custom = _CUSTOM.decode(event)
        if custom.event in KNOWN_EVENTS:  # a known event whose params hold an invalid value
            kind = Event
            _EVENT.decode(event)
    except msgspec.ValidationError as error:
        raise _invalid(error, kind, event) from error
    near = difflib.get_close_matches(custom.event, KNOWN_EVENTS, n=1, cutoff=0.88)
    if near:
        reason = f"{custom.event!r} is not a known event; did you mean {near[0]!r}?"
        raise InvalidEvent("event.event", reason, code="unknown_event")
    if _depth(custom.params) > MAX_DEPTH:
        raise InvalidEvent("event.params", f"is nested more than {MAX_DEPTH} deep; flatten it")


def _invalid(error: msgspec.ValidationError, kind: Any, event: bytes) -> InvalidEvent:
    """Return what msgspec says, as a field path and a reason."""
    path, reason = explained(error, kind, event)
    return InvalidEvent(".".join(part for part in ("event", path) if part), reason)


def _refuse_nul(value: Any, path: str) -> None:
    """Raise for a U+0000 anywhere: the server's database refuses it."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidEvent(path, "holds the character U+0000; remove it", code="invalid_character")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nul(name, path)
            _refuse_nul(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{path}[{index}]")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(inner) for inner in value), default=0)
    return 0
