"""Events and records for the tests of features: short to write, and right by the contract."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from features.exceptions import OrdersNeeded
from features.money import MoneyOfSite, in_euros
from features.state.apply import Arrival, Conditions, apply_events
from features.state.handlers import Effects
from features.state.states import ProfileState, SessionState, decode_profile, decode_session
from tracking.contract.events import EventRecord
from tracking.contract.parsing import encode_record, parse_record

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000
LATENESS_MS = 15 * MINUTE_MS
SITE = "shop"
ANONYMOUS = "anonymous-0000000001"

_numbers = itertools.count()


def event(name: str, *, at_ms: int = NOW_MS, event_id: str | None = None, **params: Any) -> dict[str, Any]:
    """Return one event as it stands on the wire; ``items`` may be ids."""
    if "items" in params:
        params["items"] = [item if isinstance(item, dict) else {"item_id": item} for item in params["items"]]
    return {"event": name, "event_id": event_id or f"event-{next(_numbers):08d}", "ts": at_ms, "params": params}


def record(
    *events: dict[str, Any],
    site: str = SITE,
    anonymous_id: str | None = ANONYMOUS,
    user_id: str | None = None,
    received_at_ms: int | None = None,
    source: str = "browser",
) -> EventRecord:
    """Return the record of one request."""
    newest = max((one["ts"] for one in events), default=NOW_MS)
    raw = {
        "v": "1.0",
        "site": site,
        "received_at_ms": received_at_ms if received_at_ms is not None else newest,
        "source": source,
        "events": list(events),
    }
    if anonymous_id:
        raw["anonymous_id"] = anonymous_id
    if user_id:
        raw["user_id"] = user_id
    return parse_record(json.dumps(raw).encode())


def wire(one: EventRecord) -> tuple[bytes, bytes]:
    """Return key and value of a record in the log."""
    return f"{one.site}/{one.user_key}".encode(), encode_record(one)


class States:
    """The states of one user, moved by the pure functions."""

    def __init__(self) -> None:
        self.session_blob: bytes | None = None
        self.profile_blob: bytes | None = None
        self.orders: dict[int, bytes | None] = {}
        self.effects = Effects()
        self.money_of: MoneyOfSite = in_euros

    def apply(self, *records: EventRecord, oldest_ms: int = 0) -> States:
        """Apply records as one batch."""
        conditions = Conditions(lateness_ms=LATENESS_MS, orders=self.orders, money_of=self.money_of)
        arrivals = [Arrival(one, oldest_ms) for one in records]
        while True:
            try:
                self.session_blob, self.profile_blob, effects = apply_events(
                    self.session_blob, self.profile_blob, arrivals, conditions
                )
                break
            except OrdersNeeded as needed:
                self.orders |= {hashed: None for _, _, hashed in needed.orders}
        self.orders |= effects.orders
        self.effects.add(effects)
        return self

    @property
    def session(self) -> SessionState:
        return decode_session(self.session_blob)

    @property
    def profile(self) -> ProfileState:
        return decode_profile(self.profile_blob)


def applied(*events: dict[str, Any], **fields: Any) -> States:
    """Return the states after one record with these events."""
    return States().apply(record(*events, **fields))


def chunked(things: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """Cut ``things`` into pieces of the given sizes, repeated; the last piece is what is left."""
    pieces, start = [], 0
    for size in itertools.cycle(sizes):
        if start >= len(things):
            return pieces
        pieces.append(list(things[start : start + size]))
        start += size
    return pieces
