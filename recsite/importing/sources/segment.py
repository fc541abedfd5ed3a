"""Segment's and RudderStack's calls as JSON lines: ``track`` and ``page`` in the words of their e-commerce spec.

References
----------
Segment, "Spec: V2 Ecommerce Events"; RudderStack, "Ecommerce Events Specification".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from recsite.importing.base import SourceFormat, stable_event_id
from recsite.importing.preset import anonymous_id_of
from recsite.importing.reading.rows import Row, columns_of
from recsite.importing.sorted_source import LeftOut, SortedSource, record_of
from tracking.contract.events import EventRecord
from tracking.contract.mending.names import squash
from tracking.contract.mending.values import as_id
from tracking.contract.placeholders import is_placeholder

EVENTS: Final = {
    "productviewed": "view_item", "productclicked": "select_item", "productlistviewed": "view_item_list",
    "productadded": "add_to_cart", "productremoved": "remove_from_cart", "cartviewed": "view_cart",
    "checkoutstarted": "begin_checkout", "ordercompleted": "purchase", "orderrefunded": "refund",
    "productaddedtowishlist": "add_to_wishlist", "productssearched": "search",
}  # fmt: skip
"""Names of the spec, squashed, and ours."""


class SegmentSource(SortedSource):
    """Files of calls, one a line."""

    name = "segment"

    def read_row(self, row: Row) -> Iterator[EventRecord | LeftOut]:
        """Yield the record of a call."""
        yield self._record(row.values)

    def _record(self, call: dict[str, Any]) -> EventRecord | LeftOut:
        kind = call.get("type")
        name = EVENTS.get(squash(str(call.get("event")))) if kind == "track" else None
        if name is None and kind != "page":
            return LeftOut(f"{str(call.get('event') or kind)[:60]!r} moves nothing", is_loss=False)
        user_id, told = as_id(call.get("userId"))[0], as_id(call.get("anonymousId"), longest=500)[0]
        if user_id is not None and is_placeholder(user_id):
            user_id = None
        if user_id is None and told is None:
            return LeftOut("has neither userId nor anonymousId: nobody to count it for")
        at_ms = self.notes.time(call.get("timestamp") or call.get("originalTimestamp") or call.get("sentAt"))
        properties = call.get("properties")
        params = dict(properties) if isinstance(properties, dict) else {}
        identity = call.get("messageId") or (name, user_id, told, sorted(map(str, params.items())))
        raw: dict[str, Any] = {
            "event": name or "page_view",
            "event_id": stable_event_id(self.name, identity, at_ms=at_ms),
            "ts": at_ms,
        }
        if name is not None:
            raw["params"] = params
        event = self.notes.event(raw)
        anonymous_id = None if told is None else anonymous_id_of(self.name, told)
        return record_of(self.site, event, user_id=user_id, anonymous_id=anonymous_id)


def _recognises(head: bytes) -> bool:
    columns = set(columns_of(head))
    return head.startswith(b"{") and "type" in columns and bool(columns & {"messageId", "anonymousId", "userId"})


FORMAT: Final = SourceFormat(
    name=SegmentSource.name,
    summary="Segment's or RudderStack's calls as JSON lines: track and page",
    open=SegmentSource,
    recognises=_recognises,
)
