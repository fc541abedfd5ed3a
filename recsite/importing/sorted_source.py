"""What all sources have in common that read rows in any order from any number of files: sorting, joining, counting."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from recsite.importing.base import ImportOptions, RefusedRow, Shard, Unit, iso_time, stable_event_id
from recsite.importing.reading.containers import shards_of
from recsite.importing.reading.rows import Header, Row, read_rows
from recsite.importing.reading.sorting import Entry, SortedEntries
from recsite.importing.reading.times import UnreadableTime, read_time
from tracking.contract.events import (
    SCHEMA_VERSION,
    CustomEvent,
    Event,
    EventItem,
    EventRecord,
    Purchase,
    PurchaseParams,
)  # fmt: skip
from tracking.contract.mending.event import Mend, Useless, mend_event
from tracking.contract.mending.values import Done, shown
from tracking.contract.parsing import encode_record, parse_record
from tracking.contract.parts import parts_of

_RAW: Final = 500
_LEVELS: Final = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")


class LeftOut(NamedTuple):
    """A row, or one event of it, that becomes nothing."""

    reason: str
    is_loss: bool = True


class MendCount(msgspec.Struct):
    """How often one kind of mend was made, and the first value that it was made for."""

    count: int = 0
    sample: str = ""


class Notes(msgspec.Struct, kw_only=True):
    """What reading the files found out, for the closing lines."""

    rows: int = 0
    oldest_ms: int = 0
    newest_ms: int = 0
    times: dict[str, int] = {}
    mends: dict[str, MendCount] = {}

    def time(self, value: Any, unit: str = "") -> int:
        """Return a time in milliseconds and count what it was read as; raises ``UnreadableTime``."""
        at_ms, told = read_time(value, unit)
        self.times[told] = self.times.get(told, 0) + 1
        return at_ms

    def mended(self, mends: tuple[Mend, ...] | list[Mend]) -> None:
        """Count what was mended."""
        for mend in mends:
            kind = self.mends.setdefault(f"{mend.field} {mend.done}", MendCount(sample=mend.value))
            kind.count += 1

    def computed(self, name: str, value: str) -> None:
        """Count a field that was made from others, so that a row is kept."""
        kind = self.mends.setdefault(f"{name} {Done.COMPUTED}", MendCount(sample=value))
        kind.count += 1

    def reread(self, name: str, value: str) -> None:
        """Count an id that a spreadsheet wrote as a number."""
        kind = self.mends.setdefault(f"{name} {Done.REREAD}", MendCount(sample=shown(value)))
        kind.count += 1

    def event(self, raw: Mapping[str, Any]) -> Event:
        """Return the event that ``raw`` means, mended where it must and may be.

        Raises
        ------
        Useless
            It is no event of the contract in any reading.
        """
        try:
            return msgspec.convert(raw, Event)  # type: ignore[no-any-return]  # a union is a type to it
        except msgspec.ValidationError:
            mended = mend_event(raw)
        if isinstance(mended.event, CustomEvent):
            raise Useless("event", f"{mended.event.event!r} is no event of the contract")
        self.mended(mended.mends)
        return mended.event


class SortedSource(ABC):
    """Files whose rows become records by ``read_row``, whatever their order.

    All is read once, into runs on disk; ``units`` and ``items`` read the runs. Lines of one order at one moment are one
    purchase; records that stand twice are left out.
    """

    name: str
    currency: str | None = None

    def __init__(self, path: Path, options: ImportOptions) -> None:
        self.path = path
        self.site = options.site
        self.shards = options.shards or tuple(shards_of([path]))
        self.notes = Notes()
        self._scratch = options.scratch

    @abstractmethod
    def read_row(self, row: Row) -> Iterator[EventRecord | LeftOut]:
        """Yield what a row becomes; ``UnreadableTime`` and ``Useless`` leave it out with their reason."""

    def header_of(self, cells: list[str]) -> Header | None:
        """Return the columns of a table without a header; None where its first line is the header."""
        return None

    def rows(self) -> Iterator[tuple[Shard, Row]]:
        """Yield the rows of all files in the files' order."""
        for shard in self.shards:
            for row in read_rows(shard, self.header_of):
                yield shard, row

    def prepare(self) -> Notes:
        """Read and sort all files, unless that was done, and return what was found."""
        manifest = self._sorted.prepare()
        self.notes = msgspec.json.decode(manifest.notes, type=Notes)
        return self.notes

    def forget(self) -> None:
        """Remove what was sorted on disk."""
        self._sorted.forget()

    def total(self) -> int:
        """Return how many entries there are, which is at least the number of units."""
        return self._sorted.prepare().entries

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield the items that the events name, as far as they describe them."""
        found: dict[str, dict[str, Any]] = {}
        for unit in self.units():
            for record in unit.records:
                describe_all(found, record)
        yield from found.values()

    def units(self) -> Iterator[Unit]:
        """Yield what was left out, then the records in order of time."""
        for (at_ms, _), group in groupby(self._sorted, key=lambda entry: (entry.at_ms, entry.key)):
            if at_ms < 0:
                for entry in group:
                    yield Unit(refusals=(_refusal(entry),), line=entry.line)
            else:
                yield self._unit(list(group))

    def _unit(self, entries: list[Entry]) -> Unit:
        first = entries[0]
        record = parse_record(first.body)
        if first.is_part:
            return self._order(entries)
        n_events = len(record.events) + len(record.custom)
        refusals = tuple(
            RefusedRow(entry.line, "stands twice", "", is_loss=False, shard=entry.shard)
            for entry in entries[1:]
            for _ in range(n_events)
        )
        return Unit((record,), refusals, first.line, n_events + len(refusals))

    def _order(self, entries: list[Entry]) -> Unit:
        """Return the unit of one order's lines; those that take something off it lower its value."""
        records = [parse_record(entry.body) for entry in entries]
        lines = [record for record in records if record.events]
        less = sum((Decimal(str(event.params["less"])) for record in records for event in record.custom), Decimal(0))
        if not lines:
            refusals = tuple(
                RefusedRow(entry.line, _ONLY_LESS, "", is_loss=True, shard=entry.shard) for entry in entries
            )
            return Unit(refusals=refusals, line=entries[0].line, rows=len(entries))
        record = self._joined(lines, less) if len(records) > 1 else lines[0]
        return Unit((record,), line=entries[0].line, rows=len(entries))

    def _joined(self, parts: list[EventRecord], less: Decimal) -> EventRecord:
        """Return the record of one order of which each part is a line; ``less`` is at most 0."""
        head = parts[0]
        params: list[PurchaseParams] = [part.events[0].params for part in parts]  # type: ignore[misc]  # by is_part
        lines: dict[tuple[str, float | None], EventItem] = {}
        for item in (item for each in params for item in each.items):
            known = lines.get((item.item_id, item.price))
            more = item if known is None else msgspec.structs.replace(known, quantity=known.quantity + item.quantity)
            lines[item.item_id, item.price] = more
        return msgspec.structs.replace(head, events=self._purchases(head, params[0], list(lines.values()), less))

    def _purchases(
        self, head: EventRecord, params: PurchaseParams, items: list[EventItem], less: Decimal
    ) -> tuple[Event, ...]:
        at_ms = head.events[0].occurred_at_ms
        events = []
        value = value_of(tuple(items))  # of the whole order, in each of its parts
        if value is not None:
            value = max(0.0, round(value + float(less), 2))
        for part, some in enumerate(parts_of(items)):
            identity = (self.name, at_ms, head.user_key, "order", params.transaction_id, *([part] if part else []))
            events.append(
                Purchase(
                    event_id=stable_event_id(*identity, at_ms=at_ms),
                    occurred_at_ms=at_ms,
                    params=msgspec.structs.replace(params, items=some, value=value),
                )
            )
        return tuple(events)

    @cached_property
    def _sorted(self) -> SortedEntries:
        folder = self._scratch
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="import-")  # removed when the source is
            folder = Path(self._temporary.name) / "runs"
        return SortedEntries(folder, self._entries, lambda: msgspec.json.encode(self.notes))

    def outcomes(self, row: Row) -> list[EventRecord | LeftOut]:
        """Return what a row becomes: its records, and why it, or a part of it, is left out."""
        if row.problem:
            return [LeftOut(row.problem)]
        try:
            return list(self.read_row(row))
        except (UnreadableTime, Useless) as error:
            return [left_out(error)]

    def _entries(self) -> Iterator[Entry]:
        for shard, row in self.rows():
            self.notes.rows += 1
            name = shard.name if len(self.shards) > 1 else ""
            for each in self.outcomes(row):
                yield self._left_out(each, row, name) if isinstance(each, LeftOut) else self._kept(each, row, name)

    def _kept(self, record: EventRecord, row: Row, shard: str) -> Entry:
        newest_ms = max(event.occurred_at_ms for event in (*record.events, *record.custom))
        self.notes.newest_ms = max(self.notes.newest_ms, newest_ms)
        self.notes.oldest_ms = min(self.notes.oldest_ms or newest_ms, newest_ms)
        first = (record.events or record.custom)[0]
        order = first.params.transaction_id if isinstance(first, Purchase) else _order_less(first)
        is_part = order is not None and self.joins_orders
        key = f"{record.user_key}\x1f{order}" if is_part else first.event_id
        return Entry(newest_ms, key, encode_record(record), row.line, shard, is_part=is_part)

    @property
    def joins_orders(self) -> bool:
        """Whether purchases at one moment with one order id are lines of one order."""
        return False

    @staticmethod
    def _left_out(left: LeftOut, row: Row, shard: str) -> Entry:
        raw = row.raw[:_RAW] or str(row.values)[:_RAW] if left.is_loss else ""
        body = raw.encode("utf-8", "replace")
        return Entry(-1, f"{row.line:012d}", body, row.line, shard, left.reason, left.is_loss)


_ONLY_LESS: Final = "only gives something back: no line of this order is above zero; make it a refund with --event"
_LESS_EVENT: Final = "order_less"


def less_of_order(raw: Mapping[str, Any], less: Decimal) -> CustomEvent:
    """Return what stands, until the lines of an order are joined, for a line that takes something off it."""
    return CustomEvent(
        event=_LESS_EVENT, event_id=raw["event_id"], occurred_at_ms=raw["ts"],
        params={"order": raw["params"]["transaction_id"], "less": str(less)},
    )  # fmt: skip


def _order_less(event: Event | CustomEvent) -> str | None:
    if isinstance(event, CustomEvent) and event.event == _LESS_EVENT:
        return str(event.params["order"])
    return None


def left_out(error: UnreadableTime | Useless) -> LeftOut:
    """Return why a row is left out that has no reading."""
    if isinstance(error, Useless) and error.field:
        return LeftOut(f"{error.field}: {error.reason}")
    return LeftOut(error.reason if isinstance(error, Useless) else str(error))


def value_of(items: tuple[EventItem, ...]) -> float | None:
    """Return what the lines of an order add up to; None where a line has no price."""
    if any(item.price is None for item in items):
        return None
    return round(sum((item.price or 0.0) * item.quantity for item in items), 2)


def record_of(site: str, event: Event | CustomEvent, *, user_id: str | None, anonymous_id: str | None) -> EventRecord:
    """Return the record of one past event."""
    return EventRecord(
        v=SCHEMA_VERSION,
        site=site,
        received_at_ms=event.occurred_at_ms,
        anonymous_id=anonymous_id,
        user_id=user_id,
        source="import",
        events=() if isinstance(event, CustomEvent) else (event,),
        custom=(event,) if isinstance(event, CustomEvent) else (),
    )


def _refusal(entry: Entry) -> RefusedRow:
    return RefusedRow(entry.line, entry.reason, entry.body.decode("utf-8", "replace"), entry.is_loss, entry.shard)


def describe_all(found: dict[str, dict[str, Any]], record: EventRecord) -> None:
    """Add what the events of a record say of items to the feed rows ``found``."""
    for event in record.events:
        params = getattr(event, "params", None)
        for item in getattr(params, "items", ()):
            describe(found, item, currency=getattr(params, "currency", None), at_ms=event.occurred_at_ms)


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
