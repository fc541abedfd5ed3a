"""Our own lines: what a client posts to ``/v1/events`` (an envelope), or what the log holds (a record)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from recsite.importing.base import SourceFormat
from recsite.importing.reading.rows import Row, columns_of
from recsite.importing.sorted_source import LeftOut, SortedSource
from tracking.contract.events import MAX_EVENTS_SERVER, BaseEvent, CustomEvent, Event, EventRecord
from tracking.contract.parsing import ParsedGroup, parse_envelope, parse_record
from tracking.contract.placeholders import is_placeholder
from tracking.exceptions import InvalidEvent


class OwnLinesSource(SortedSource):
    """A file of envelopes or records, one a line.

    The import is trusted like the shop's own server: an envelope's ``user_id`` needs no token. Keys in it are ignored;
    everything goes to the site of the import.
    """

    name = "jsonl"

    def read_row(self, row: Row) -> Iterator[EventRecord | LeftOut]:
        """Yield the records of a line, and each event of it that is left out."""
        line = row.raw.encode("utf-8", "replace") or msgspec.json.encode(row.values)
        try:
            if "received_at_ms" in row.values:
                yield msgspec.structs.replace(parse_record(line), site=self.site, source="import")
                return
            parsed = parse_envelope(line, max_events=MAX_EVENTS_SERVER, is_strict=False)
        except InvalidEvent as error:
            yield LeftOut(f"{error.field}: {error.reason}" if error.field else error.reason)
            return
        self.notes.mended(parsed.mends)
        for wrong in parsed.rejected:
            yield LeftOut(f"{wrong.field}: {wrong.message}")
        for group in parsed.groups:
            yield from self._group(group, version=parsed.envelope.v)

    def _group(self, group: ParsedGroup, *, version: str) -> Iterator[EventRecord | LeftOut]:
        user_id = group.envelope.user_id
        if user_id is not None and is_placeholder(user_id):
            user_id = None
        if user_id is None and group.envelope.anonymous_id is None:
            for _ in group.good:
                yield LeftOut(f"{group.prefix}: has neither user_id nor anonymous_id")
        elif group.envelope.consent == "denied":
            for _ in group.good:
                yield LeftOut("consent was denied", is_loss=False)
        elif group.good:
            yield self._record(group, user_id=user_id, version=version)

    def _record(self, group: ParsedGroup, *, user_id: str | None, version: str) -> EventRecord:
        events = tuple(event for _, event in group.good if isinstance(event, BaseEvent))
        custom = tuple(event for _, event in group.good if isinstance(event, CustomEvent))
        return EventRecord(
            v=version,
            site=self.site,
            received_at_ms=max(event.occurred_at_ms for event in (*events, *custom)),
            anonymous_id=group.envelope.anonymous_id,
            user_id=user_id,
            consent=group.envelope.consent,
            source="import",
            ctx=group.envelope.ctx,
            events=_narrowed(events),
            custom=custom,
        )


def _narrowed(events: tuple[BaseEvent, ...]) -> tuple[Event, ...]:
    return events  # type: ignore[return-value]  # parsing makes members of the union only


def _recognises(head: bytes) -> bool:
    columns = set(columns_of(head))
    if head.startswith(b"{") and not columns:  # longer than what is looked at
        return b'"events"' in head and b'"session"' not in head and b'"event_timestamp"' not in head
    return bool(columns & {"events", "records", "custom"}) and not columns & {"session", "event_timestamp"}


FORMAT: Final = SourceFormat(
    name=OwnLinesSource.name,
    summary="one envelope (as posted to /v1/events) or one record of the log a line",
    open=OwnLinesSource,
    recognises=_recognises,
)
