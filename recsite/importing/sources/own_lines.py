"""Our own lines: what a client posts to ``/v1/events`` (an envelope), or what the log holds (a record)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from recsite.importing.base import Refusal, SourceFormat, Unit, iso_time
from recsite.importing.json_lines import SortedLines
from tracking.contract.events import (
    MAX_EVENTS_SERVER,
    BaseEvent,
    CustomEvent,
    Event,
    EventItem,
    EventRecord,
)  # fmt: skip
from tracking.contract.parsing import ParsedGroup, parse_envelope, parse_record
from tracking.exceptions import InvalidEvent


class _Timed(msgspec.Struct):
    ts: int = 0


class _Head(msgspec.Struct):
    received_at_ms: int | None = None
    events: list[_Timed] = []
    records: list[_Head] = []


_HEAD: Final = msgspec.json.Decoder(_Head)
_LEVELS: Final = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")


class OwnLinesSource:
    """A file of envelopes or records, one a line.

    The import is trusted like the shop's own server: an envelope's ``user_id`` needs no token. Keys in it are ignored;
    everything goes to the site of the import.
    """

    name = "jsonl"
    currency: str | None = None

    def __init__(self, path: Path, *, site: str) -> None:
        self.path = path
        self._site = site

    @cached_property
    def _lines(self) -> SortedLines:
        return SortedLines(self.path, _time_of)

    def total(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield the items that the events name, as far as they describe them."""
        found: dict[str, dict[str, Any]] = {}
        for unit in self.units():
            for record in unit.records:
                for event in record.events:
                    params = getattr(event, "params", None)
                    for item in getattr(params, "items", ()):
                        currency = getattr(params, "currency", None)
                        describe(found, item, currency=currency, at_ms=event.occurred_at_ms)
        yield from found.values()

    def units(self) -> Iterator[Unit]:
        """Yield one unit a line, in order of time."""
        for number, line in self._lines:
            if line.strip():
                yield self._unit(number, line)
            else:
                yield Unit(line=number)

    def _unit(self, number: int, line: bytes) -> Unit:
        try:
            if b'"received_at_ms"' in line:
                record = msgspec.structs.replace(parse_record(line), site=self._site, source="import")
                return Unit((record,), line=number)
            parsed = parse_envelope(line, max_events=MAX_EVENTS_SERVER)
        except InvalidEvent as error:
            reason = f"{error.field}: {error.reason}" if error.field else error.reason
            return Unit(refusals=(Refusal(number, reason, line.decode("utf-8", "replace")),), line=number)
        refusals = [
            Refusal(number, f"{wrong.field}: {wrong.message}", wrong.raw.decode("utf-8", "replace"))
            for wrong in parsed.rejected
        ]
        records = []
        for group in parsed.groups:
            if group.envelope.user_id is None and group.envelope.anonymous_id is None:
                reason = f"{group.prefix}: has neither user_id nor anonymous_id"
                refusals.append(Refusal(number, reason, line.decode("utf-8", "replace")))
            elif group.good and group.envelope.consent != "denied":
                records.append(self._record(group, version=parsed.envelope.v))
        return Unit(tuple(records), tuple(refusals), number)

    def _record(self, group: ParsedGroup, *, version: str) -> EventRecord:
        events = tuple(event for _, event in group.good if isinstance(event, BaseEvent))
        custom = tuple(event for _, event in group.good if isinstance(event, CustomEvent))
        return EventRecord(
            v=version,
            site=self._site,
            received_at_ms=max(event.occurred_at_ms for event in (*events, *custom)),
            anonymous_id=group.envelope.anonymous_id,
            user_id=group.envelope.user_id,
            consent=group.envelope.consent,
            source="import",
            ctx=group.envelope.ctx,
            events=_narrowed(events),
            custom=custom,
        )


def describe(found: dict[str, dict[str, Any]], item: EventItem, *, currency: str | None, at_ms: int) -> None:
    """Add what an event says of an item to the feed rows ``found``; the first that says something wins."""
    row = found.setdefault(item.item_id, {"item_id": item.item_id, "title": f"Item {item.item_id}"})
    if item.item_name and row["title"] == f"Item {item.item_id}":
        row["title"] = item.item_name
    if item.item_brand:
        row.setdefault("brand", item.item_brand)
    names = [name for level in _LEVELS if (name := getattr(item, level))]
    if names:
        row.setdefault("category", names)
    if item.price is not None:
        row.setdefault("price", f"{item.price:.2f} {currency}" if currency else f"{item.price:.2f}")
    row.setdefault("first_seen_at", iso_time(at_ms))


def _narrowed(events: tuple[BaseEvent, ...]) -> tuple[Event, ...]:
    return events  # type: ignore[return-value]  # parsing makes members of the union only


def _time_of(line: bytes) -> int | None:
    try:
        head = _HEAD.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    events = head.events or [event for group in head.records for event in group.events]
    return max((event.ts for event in events), default=head.received_at_ms)


FORMAT: Final = SourceFormat(
    name=OwnLinesSource.name,
    summary="one envelope (as posted to /v1/events) or one record of the log a line",
    open=lambda path, options: OwnLinesSource(path, site=options.site),
    recognises=lambda head: head.startswith(b"{") and b'"event_timestamp"' not in head,
)
