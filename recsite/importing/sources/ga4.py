"""Google Analytics 4's BigQuery export: one event a row, e-commerce events under the same names as ours.

What GA4 collects by itself and no recommendation needs (``session_start``, ``user_engagement``, ``scroll`` …) is left
out. ``(not set)`` means nothing. A user is the export's ``user_id`` where it has one, else its ``user_pseudo_id``.
A purchase without a transaction id is an order of its own.

References
----------
Google Analytics help, "BigQuery Export schema".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from recsite.importing.base import SourceFormat, stable_event_id
from recsite.importing.reading.rows import Row, columns_of
from recsite.importing.sorted_source import LeftOut, SortedSource, record_of
from tracking.contract.events import GA4_EVENTS, EventItem, EventRecord
from tracking.contract.mending.values import as_id
from tracking.contract.placeholders import is_placeholder

#: Names of theirs and ours; others are left out.
EVENTS: Final = {**{name: name for name in GA4_EVENTS}, "view_search_results": "search"}
_ITEM_FIELDS: Final = tuple(EventItem.__struct_fields__)
_NESTED: Final = ("event_params", "items", "ecommerce")
_NOTHING: Final = (None, "", "(not set)")
_NUMBERS: Final = {"discount", "index", "price", "quantity"}
_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")


class Ga4Source(SortedSource):
    """Exported shards: JSON lines, or Parquet."""

    name = "ga4"

    def read_row(self, row: Row) -> Iterator[EventRecord | LeftOut]:
        """Yield the record of an exported event."""
        yield self._record(row.values)

    def _record(self, row: dict[str, Any]) -> EventRecord | LeftOut:
        row = {**row, **{name: _nested(row[name]) for name in _NESTED if name in row}}
        written = str(row.get("event_name"))
        name = EVENTS.get(written)
        if name is None:
            return LeftOut(f"{written[:60]!r} moves nothing", is_loss=False)
        user_id, pseudo_id = as_id(row.get("user_id"))[0], as_id(row.get("user_pseudo_id"), longest=500)[0]
        if user_id is not None and is_placeholder(user_id):
            user_id = None
        if user_id is None and pseudo_id is None:
            return LeftOut("has neither user_id nor user_pseudo_id (consent mode): nobody to count it for")
        told = _params_told(row.get("event_params"))
        at_ms = self.notes.time(row.get("event_timestamp"), "us")
        event_id = stable_event_id(
            "ga4", written, row.get("event_timestamp"), row.get("user_pseudo_id"), row.get("user_id"),
            row.get("event_bundle_sequence_id"), row.get("batch_event_index"), told.get("transaction_id"), at_ms=at_ms,
        )  # fmt: skip
        raw: dict[str, Any] = {
            "event_id": event_id,
            "event": name,
            "ts": at_ms,
            "session_id": _text(told.get("ga_session_id")),
            "session_number": told.get("ga_session_number"),
            "url": told.get("page_location"),
            "params": _params(name, row, told),
        }
        if name == "purchase" and "transaction_id" not in raw["params"]:
            raw["params"]["transaction_id"] = f"ga4-{event_id}"
            self.notes.computed("transaction_id", event_id)
        event = self.notes.event({key: value for key, value in raw.items() if value is not None})
        anonymous_id = None if pseudo_id is None else anonymous_id_of(pseudo_id)
        return record_of(self.site, event, user_id=user_id, anonymous_id=anonymous_id)


def anonymous_id_of(pseudo_id: str) -> str:
    """Return an anonymous id of our form for GA4's ``1234567890.1234567890``; the same for the same."""
    plain = "ga4-" + re.sub(r"[^A-Za-z0-9_-]", "_", pseudo_id)
    if 16 <= len(plain) <= 64:
        return plain
    return "ga4-" + hashlib.blake2b(pseudo_id.encode(), digest_size=16).hexdigest()


def _nested(value: Any) -> Any:
    """Return a list or an object; a table holds them as JSON, and some writers of Parquet wrap each entry."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return value
    if isinstance(value, dict) and isinstance(value.get("list"), list):
        return [each.get("element") if isinstance(each, dict) else each for each in value["list"]]
    return value


def _params_told(params: Any) -> dict[str, Any]:
    """Return the event's parameters by name, from a list of key and value or an object of them."""
    if isinstance(params, dict):
        return {key: _plain(value) for key, value in params.items()}
    pairs = [each for each in params if isinstance(each, dict)] if isinstance(params, list) else []
    return {str(each.get("key")): _plain(each.get("value")) for each in pairs}


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    found = next((value[name] for name in _VALUES if value.get(name) is not None), None)
    return int(found) if isinstance(found, str) and value.get("int_value") == found and found.isdecimal() else found


def _params(name: str, row: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    if name == "page_view":
        return _without_nothing({"page_title": told.get("page_title")})
    if name == "search":
        return _without_nothing({"search_term": told.get("search_term")})
    listed = row.get("items")
    items = [_item(item) for item in (listed if isinstance(listed, list) else ()) if isinstance(item, dict)]
    params: dict[str, Any] = {"items": [item for item in items if item]}
    ecommerce = row.get("ecommerce")
    shop: dict[str, Any] = ecommerce if isinstance(ecommerce, dict) else {}
    if name in ("view_item_list", "select_item"):
        first = row["items"][0] if items else {}
        for each in ("item_list_id", "item_list_name"):
            params[each] = told.get(each, first.get(each) if isinstance(first, dict) else None)
        return _without_nothing(params)
    params |= {"currency": told.get("currency"), "value": told.get("value"), "coupon": told.get("coupon")}
    if name in ("purchase", "refund"):
        params["transaction_id"] = _first(told.get("transaction_id"), shop.get("transaction_id"))
        params["value"] = told.get("value", shop.get("purchase_revenue" if name == "purchase" else "refund_value"))
    if name == "purchase":
        params["tax"] = told.get("tax", shop.get("tax_value"))
        params["shipping"] = told.get("shipping", shop.get("shipping_value"))
    if name in ("view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "refund"):
        params.pop("coupon")
    return _without_nothing(params)


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in _NOTHING), None)


def _item(item: dict[str, Any]) -> dict[str, Any]:
    known = {**item, "index": item.get("item_list_index", item.get("index"))}
    kept = _without_nothing({name: known.get(name) for name in _ITEM_FIELDS})
    for name in _NUMBERS & kept.keys():
        if isinstance(kept[name], str) and kept[name].isdecimal():
            kept[name] = int(kept[name])
    return kept


def _without_nothing(mapping: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value not in _NOTHING}


FORMAT: Final = SourceFormat(
    name=Ga4Source.name,
    summary="Google Analytics 4's BigQuery export, as JSON lines or Parquet, all its shards",
    open=Ga4Source,
    recognises=lambda head: (
        {"event_name", "event_timestamp"} <= set(columns_of(head))
        or (head.startswith(b"{") and b'"event_timestamp"' in head)
    ),
)
