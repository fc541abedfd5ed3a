"""Google Analytics 4's BigQuery export as JSON lines: one event a line, e-commerce events under the same names as ours.

What GA4 collects by itself and no recommendation needs (``session_start``, ``user_engagement``, ``scroll`` …) is left
out. ``(not set)`` means nothing. A user is the export's ``user_id`` where it has one, else its ``user_pseudo_id``.

References
----------
Google Analytics help, "BigQuery Export schema".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from recsite.importing.base import Refusal, SourceFormat, Unit, stable_event_id
from recsite.importing.json_lines import SortedLines
from recsite.importing.sources.own_lines import describe
from tracking.contract.events import GA4_EVENTS, MAX_ITEMS, SCHEMA_VERSION, CustomEvent, EventItem, EventRecord
from tracking.contract.parsing import parse_event
from tracking.exceptions import InvalidEvent

#: Names of theirs and ours; others are left out.
EVENTS: Final = {**{name: name for name in GA4_EVENTS}, "view_search_results": "search"}
_ITEM_FIELDS: Final = tuple(EventItem.__struct_fields__)
_NOTHING: Final = (None, "", "(not set)")
_NUMBERS: Final = ("price", "discount", "quantity", "index")


class _Value(msgspec.Struct):
    string_value: str | None = None
    int_value: int | str | None = None
    float_value: float | None = None
    double_value: float | None = None


class _Param(msgspec.Struct):
    key: str
    value: _Value


class _Ecommerce(msgspec.Struct):
    transaction_id: str | None = None
    purchase_revenue: float | None = None
    refund_value: float | None = None
    tax_value: float | None = None
    shipping_value: float | None = None


class _Row(msgspec.Struct):
    event_name: str
    event_timestamp: int | str  # microseconds; BigQuery writes whole numbers as texts
    event_params: list[_Param] = []
    user_id: str | None = None
    user_pseudo_id: str | None = None
    event_bundle_sequence_id: int | str | None = None
    batch_event_index: int | str | None = None
    ecommerce: _Ecommerce | None = None
    items: list[dict[str, Any]] = []


_ROW: Final = msgspec.json.Decoder(_Row)


class Ga4Source:
    """One exported file."""

    name = "ga4"
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
        """Yield the items that the events describe."""
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
            if not line.strip():
                yield Unit(line=number)
                continue
            try:
                row = _ROW.decode(line)
                record = self._record(row)
            except (InvalidEvent, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                refusal = Refusal(number, str(error), line.decode("utf-8", "replace"))
                yield Unit(refusals=(refusal,), line=number)
                continue
            yield Unit(() if record is None else (record,), line=number)

    def _record(self, row: _Row) -> EventRecord | None:
        name = EVENTS.get(row.event_name)
        if name is None:
            return None
        at_ms = int(row.event_timestamp) // 1_000
        if not row.user_id and not row.user_pseudo_id:
            raise ValueError("has neither user_id nor user_pseudo_id (consent mode): nobody to count it for")
        told = {param.key: _plain(param.value) for param in row.event_params}
        event_id = stable_event_id(
            "ga4", row.event_name, row.event_timestamp, row.user_pseudo_id, row.user_id, row.event_bundle_sequence_id,
            row.batch_event_index, told.get("transaction_id"), at_ms=at_ms,
        )  # fmt: skip
        session = told.get("ga_session_id")
        raw = {
            "event_id": event_id,
            "event": name,
            "ts": at_ms,
            "session_id": None if session is None else str(session),
            "session_number": told.get("ga_session_number"),
            "url": _cut(told.get("page_location"), 2_000),
            "params": _params(name, row, told),
        }
        event = parse_event(msgspec.json.encode({key: value for key, value in raw.items() if value is not None}))
        if isinstance(event, CustomEvent):  # pragma: no cover  (EVENTS names known events only)
            return None
        return EventRecord(
            v=SCHEMA_VERSION,
            site=self._site,
            received_at_ms=at_ms,
            anonymous_id=anonymous_id_of(row.user_pseudo_id) if row.user_pseudo_id else None,
            user_id=row.user_id or None,
            source="import",
            events=(event,),
        )


def anonymous_id_of(pseudo_id: str) -> str:
    """Return an anonymous id of our form for GA4's ``1234567890.1234567890``; the same for the same."""
    plain = "ga4-" + re.sub(r"[^A-Za-z0-9_-]", "_", pseudo_id)
    if 16 <= len(plain) <= 64:
        return plain
    return "ga4-" + hashlib.blake2b(pseudo_id.encode(), digest_size=16).hexdigest()


def _params(name: str, row: _Row, told: dict[str, Any]) -> dict[str, Any]:
    if name == "page_view":
        return _without_nothing({"page_title": _cut(told.get("page_title"), 500)})
    if name == "search":
        return _without_nothing({"search_term": _cut(told.get("search_term"), 200)})
    params: dict[str, Any] = {"items": [_item(item) for item in row.items[:MAX_ITEMS]]}
    shop = row.ecommerce or _Ecommerce()
    if name in ("view_item_list", "select_item"):
        first = row.items[0] if row.items else {}
        for field in ("item_list_id", "item_list_name"):
            params[field] = told.get(field, first.get(field))
        return _without_nothing(params)
    params |= {"currency": told.get("currency"), "value": told.get("value"), "coupon": told.get("coupon")}
    if name in ("purchase", "refund"):
        params["transaction_id"] = told.get("transaction_id") or shop.transaction_id
        params["value"] = told.get("value", shop.purchase_revenue if name == "purchase" else shop.refund_value)
    if name == "purchase":
        params |= {"tax": told.get("tax", shop.tax_value), "shipping": told.get("shipping", shop.shipping_value)}
    if name in ("view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "refund"):
        params.pop("coupon")
    return _without_nothing(params)


def _item(item: dict[str, Any]) -> dict[str, Any]:
    known = {**item, "index": item.get("item_list_index", item.get("index"))}
    kept = _without_nothing({name: known.get(name) for name in _ITEM_FIELDS})
    for name in _NUMBERS:
        if isinstance(kept.get(name), str):
            kept[name] = float(kept[name]) if name in ("price", "discount") else int(kept[name])
    if kept.get("quantity") == 0:
        del kept["quantity"]
    return kept


def _plain(value: _Value) -> Any:
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return int(value.int_value)
    return value.double_value if value.double_value is not None else value.float_value


def _without_nothing(mapping: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value not in _NOTHING}


def _cut(text: Any, longest: int) -> Any:
    return text[:longest] if isinstance(text, str) else text


class _Time(msgspec.Struct):
    event_timestamp: int | str


_TIME: Final = msgspec.json.Decoder(_Time)


def _time_of(line: bytes) -> int | None:
    try:
        return int(_TIME.decode(line).event_timestamp) // 1_000
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return None


FORMAT: Final = SourceFormat(
    name=Ga4Source.name,
    summary="Google Analytics 4's BigQuery export as JSON lines",
    open=lambda path, options: Ga4Source(path, site=options.site),
    recognises=lambda head: head.startswith(b"{") and b'"event_timestamp"' in head,
)
