"""Pure: records → the rows of the archive, and back. One row an item of an event; one for an event without items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracking.contract.events import KNOWN_EVENTS, CustomEvent, Event, EventRecord, Identify
from tracking.contract.parsing import parse_record
from tracking.deferred import deferred

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = deferred("pyarrow")

_TYPE_OF: Final = {
    "site": "string",
    "user_key": "string",
    "anonymous_id": "string",
    "user_id": "string",
    "session_id": "string",
    "session_number": "int32",
    "event_id": "string",
    "event": "string",
    "row": "int16",
    "item_id": "string",
    "quantity": "int32",
    "price": "float64",
    "value": "float64",
    "currency": "string",
    "occurred_at_ms": "int64",
    "received_at_ms": "int64",
    "item_list_id": "string",
    "rec_id": "string",
    "position": "int32",
    "transaction_id": "string",
    "search_term": "string",
    "consent": "string",
    "bot": "bool",
    "source": "string",
    "params": "string",
    "network": "int64",
}
"""The columns, each with its type by Arrow's name for it."""
COLUMNS: Final = tuple(_TYPE_OF)
ONCE: Final = ("user_key", "event_id", "row")
"""What a site's row is known by: the log gives a record twice when its first acknowledgement came too late, and a shop
may number the events of each user from one."""
DAY_MS: Final = 86_400_000
_ENCODE: Final = msgspec.json.Encoder().encode
Row = tuple[Any, ...]
_once: Final = itemgetter(*map(COLUMNS.index, ONCE))


def rows_of(record: EventRecord) -> Iterator[tuple[int, Row]]:
    """Yield the UTC day (since 1970) and the row of everything in a record, in the order of ``COLUMNS``."""
    user_key = record.user_key
    tail = (record.consent, record.ctx.bot, record.source)
    for event in record.events:
        params = event.params
        head = _head(record, user_key, event, str(event.__struct_config__.tag))
        value = getattr(params, "value", None)
        currency = getattr(params, "currency", None)
        list_id = getattr(params, "item_list_id", None)
        list_rec_id = getattr(params, "rec_id", None)
        more = _more(event)
        named = (getattr(params, "transaction_id", None), getattr(params, "search_term", None))
        about = (*named, *tail, more, record.network)
        times = (event.occurred_at_ms, record.received_at_ms)
        day = event.occurred_at_ms // DAY_MS
        items = getattr(params, "items", ())
        if not items:
            yield day, (*head, 0, None, None, None, value, currency, *times, list_id, list_rec_id, None, *about)
        for row, item in enumerate(items):
            yield (
                day,
                (
                    *(*head, row, item.item_id, item.quantity, item.price, value, currency, *times),
                    *(list_id, item.rec_id or list_rec_id, item.index, *about),
                ),
            )
    for custom in record.custom:
        head = _head(record, user_key, custom, custom.event)
        times = (custom.occurred_at_ms, record.received_at_ms)
        params_json = _ENCODE(custom.params).decode()
        nothing = (None,) * 5
        yield (
            custom.occurred_at_ms // DAY_MS,
            (*head, 0, *nothing, *times, None, None, None, None, None, *tail, params_json, record.network),
        )


def _more(event: Event) -> str | None:
    """Return as JSON what an event says beyond the columns and moves features with."""
    params = event.params
    if isinstance(event, Identify):
        return _ENCODE({"user_id": event.params.user_id, "traits": event.params.traits}).decode()
    refund_id = getattr(params, "refund_id", None)
    return _ENCODE({"refund_id": refund_id}).decode() if refund_id else None


def _head(record: EventRecord, user_key: str, event: Event | CustomEvent, name: str) -> tuple[Any, ...]:
    return (
        *(record.site, user_key, record.anonymous_id, record.user_id),
        *(event.session_id, event.session_number, event.event_id, name),
    )


def without_copies(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of a site without the copies of events that were sent again: the first of each."""
    return list({_once(row): row for row in reversed(list(rows))}.values())[::-1]


@cache
def schema() -> pa.Schema:
    """Return the columns with their Arrow types."""
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in _TYPE_OF.items()])


def table_of(rows: Iterable[Row]) -> pa.Table:
    """Return rows as an Arrow table."""
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema().types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema())


_ITEM_FIELDS: Final = (("item_id", "item_id"), ("quantity", "quantity"), ("price", "price"), ("position", "index"))
_EVENT_FIELDS: Final = ("value", "currency", "item_list_id", "transaction_id", "search_term")
_LIST_EVENTS: Final = ("view_item_list", "select_item")


def record_of(rows: Sequence[Mapping[str, Any]]) -> EventRecord:
    """Return the record of one event from its rows: everything that moves a feature, not every word of the page.

    Raises
    ------
    InvalidEvent
        The rows are not from this contract.
    """
    first = rows[0]
    params: dict[str, Any] = {name: first[name] for name in _EVENT_FIELDS if first[name] is not None}
    if first["event"] in _LIST_EVENTS and first["rec_id"] is not None:
        params["rec_id"] = first["rec_id"]
    items: list[dict[str, Any]] = []
    for row in rows:
        if row["item_id"] is None:
            continue
        item = {name: row[column] for column, name in _ITEM_FIELDS if row[column] is not None}
        if first["event"] not in _LIST_EVENTS and row["rec_id"] is not None:
            item["rec_id"] = row["rec_id"]
        items.append(item)
    if items:
        params["items"] = items
    event = {"event": first["event"], "event_id": first["event_id"], "ts": first["occurred_at_ms"], "params": params}
    for name in ("session_id", "session_number"):
        if first[name] is not None:
            event[name] = first[name]
    raw: dict[str, Any] = {
        "v": "1.0",
        "site": first["site"],
        "received_at_ms": first["received_at_ms"],
        "consent": first["consent"],
        "source": first["source"],
        "ctx": {"bot": first["bot"]},
    }
    for name in ("anonymous_id", "user_id", "network"):
        if first.get(name) is not None:
            raw[name] = first[name]
    if first["event"] == "identify":  # an older version archived no more than that there was one
        params["user_id"] = first["user_id"] or "unknown"
    more = {} if first["params"] is None else msgspec.json.decode(first["params"])
    if first["event"] in KNOWN_EVENTS:
        params.update(more)
        raw["events"] = [event]
    elif first["params"] is not None:
        event["params"] = more
        raw["custom"] = [event]
    else:
        raw["events"] = [event]
    return parse_record(_ENCODE(raw))
