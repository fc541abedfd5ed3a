"""The head of a request that the contract refuses: identity and time are kept, what is optional may go. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tracking.contract.events import Context, RawEnvelope, RawGroup
from tracking.contract.mending.event import Mend, Notes, mend_struct
from tracking.contract.mending.values import Done, as_id, as_milliseconds, without_halves

_CONSENT: Final[Mapping[object, str]] = {True: "granted", False: "denied"}
_ANONYMOUS: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


def read_json(body: bytes) -> Any:
    """Return the JSON of ``body``; ``NaN`` and infinities, which some encoders write, are null.

    Halves of characters, which a browser writes for a text that was cut inside an emoji, are left out.

    Raises
    ------
    ValueError
        It is no JSON; ``RecursionError`` where it is nested too deep.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return without_halves(json.loads(body, parse_constant=lambda _name: None))


def mend_envelope(head: Mapping[str, Any]) -> tuple[RawEnvelope, tuple[Mend, ...]]:
    """Return the envelope that ``head`` means, its events raw, and what was done for it.

    An id that the contract does not take, as Google Analytics' ``1234567890.1600000001``, is replaced by a digest of
    itself: the same id gives the same digest, so that the user stays one.

    Raises
    ------
    msgspec.ValidationError
        It has no reading: a consent that is no consent, a version that is none.
    """
    notes = Notes(prefix="", decimal=None)
    plain = dict(head)
    _mend_head(plain, "", notes)
    if isinstance(plain.get("events"), Mapping):
        plain["events"] = [plain["events"]]
        notes.note("events", "{…}", Done.RESHAPED, remedy="send a list of events")
    elif "events" not in plain and isinstance(plain.get("event"), str):
        plain["events"] = [{name: plain[name] for name in _EVENT_FIELDS if name in plain}]
        notes.note("events", None, Done.RESHAPED, remedy="send a list of events")
    if plain.get("sent_at") is not None:
        moment, done = as_milliseconds(plain["sent_at"])
        if moment is None or not 0 <= moment <= 4_102_444_800_000:
            notes.note("sent_at", plain.pop("sent_at"), Done.DROPPED)
        elif done is not None:
            notes.note("sent_at", plain["sent_at"], done, moment)
            plain["sent_at"] = moment
    groups = plain.get("records")
    if isinstance(groups, list):
        plain["records"] = [_group(group, f"records[{number}]", notes) for number, group in enumerate(groups)]
    raws = _raw_events(plain.get("events"))
    envelope = msgspec.convert({**plain, "events": [], "records": []}, RawEnvelope)
    envelope.events = raws
    if isinstance(groups, list):
        for group in plain["records"]:
            raw_group = msgspec.convert({**group, "events": []}, RawGroup)
            raw_group.events = _raw_events(group.get("events"))
            envelope.records.append(raw_group)
    return envelope, tuple(notes.mends)


_EVENT_FIELDS: Final = ("event", "event_id", "ts", "session_id", "session_number", "page_view_id", "url", "params")


def _group(group: Any, path: str, notes: Notes) -> dict[str, Any]:
    plain = dict(group) if isinstance(group, Mapping) else {}
    _mend_head(plain, f"{path}.", notes)
    return plain


def _mend_head(plain: dict[str, Any], path: str, notes: Notes) -> None:
    for name in ("user_id", "anonymous_id"):
        if name not in plain:
            continue
        written = plain.pop(name)
        if written is None:
            continue
        kept, done = as_id(written, longest=2000)
        if name == "user_id" and kept is not None and isinstance(written, str) and 0 < len(written) <= 128:
            kept, done = written, None  # as in a request that is tidy, or one user would be two
        if kept is not None and not (_ANONYMOUS.fullmatch(kept) if name == "anonymous_id" else len(kept) <= 128):
            kept, done = "m-" + hashlib.blake2b(kept.encode(), digest_size=16).hexdigest(), Done.COMPUTED
        if kept is None:
            notes.note(f"{path}{name}", written, Done.DROPPED, remedy=f"send the {name}, or leave it out")
            continue
        plain[name] = kept
        if done is not None:
            notes.note(f"{path}{name}", written, done, kept)
    consent = plain.get("consent")
    if isinstance(consent, bool) or (isinstance(consent, str) and consent != consent.strip().lower()):
        plain["consent"] = _CONSENT[consent] if isinstance(consent, bool) else consent.strip().lower()
        notes.note(f"{path}consent", consent, Done.REREAD, plain["consent"])
    if consent is None:
        plain.pop("consent", None)
    ctx = plain.get("ctx")
    if "ctx" in plain:
        if not isinstance(ctx, Mapping):
            notes.note(f"{path}ctx", plain.pop("ctx"), Done.DROPPED)
        else:
            plain["ctx"] = mend_struct(ctx, Context, f"{path}ctx", notes)


def _raw_events(events: Any) -> list[msgspec.Raw]:
    if not isinstance(events, list):
        return []
    return [msgspec.Raw(msgspec.json.encode(event)) for event in events]
