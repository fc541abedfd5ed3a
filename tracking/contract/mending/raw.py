"""The bytes of an event that the contract refuses → an event of the contract, in the size that it allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tracking.contract.events import MAX_EVENT_BYTES, CustomEvent, Event, EventItem
from tracking.contract.mending.amounts import Separator
from tracking.contract.mending.envelope import read_json
from tracking.contract.mending.event import Mended, Notes, Useless, mend_event
from tracking.contract.mending.names import SYNONYMS
from tracking.contract.mending.values import Done, without_control

MAX_DEPTH: Final = 32
_KEPT_FIELDS: Final = ("item_id", "price", "discount", "quantity", "index", "rec_id")


def is_foreign(event: CustomEvent) -> bool:
    """Return whether an event that reads as one of the shop's own is one of ours in the words of another system."""
    return event.event in SYNONYMS or isinstance(event.params.get("ecommerce"), Mapping)


def mend_raw(data: bytes, *, prefix: str, decimal: Separator | None = None) -> Mended:
    """Return the event that ``data`` means; see ``mend_event``.

    Raises
    ------
    Useless
        It has no reading. What is no JSON, or is nested too deep, is left to the caller's own error.
    """
    try:
        raw = read_json(data)
    except (ValueError, RecursionError) as error:
        raise Useless("", "is not valid JSON") from error
    if not isinstance(raw, Mapping) or _depth(raw) > MAX_DEPTH:
        raise Useless("", "is not an object, or is nested too deep")
    mended = mend_event(raw, prefix=prefix, decimal=decimal)
    if isinstance(mended.event, CustomEvent):
        clean = replace(mended.event, params=without_control(mended.event.params))
        mended = Mended(event=clean, mends=mended.mends)
    if len(msgspec.json.encode(mended.event)) <= MAX_EVENT_BYTES:
        return mended
    return _shrunk(mended, prefix)


def _shrunk(mended: Mended, prefix: str) -> Mended:
    """Return the event without what describes its items, which the catalogue knows, and with fewer of them at need."""
    event = mended.event
    params: Any = event.params
    items: tuple[EventItem, ...] = () if isinstance(event, CustomEvent) else getattr(params, "items", ())
    notes = Notes(prefix=prefix, decimal=None)
    if not items:
        raise Useless("", f"is larger than {MAX_EVENT_BYTES} bytes; send less")
    bare = tuple(EventItem(**{name: getattr(item, name) for name in _KEPT_FIELDS}) for item in items)
    shrunk = _with_items(event, bare)
    while len(msgspec.json.encode(shrunk)) > MAX_EVENT_BYTES and len(bare) > 1:
        bare = bare[: max(1, len(bare) * 3 // 4)]
        shrunk = _with_items(event, bare)
    if len(msgspec.json.encode(shrunk)) > MAX_EVENT_BYTES:
        raise Useless("", f"is larger than {MAX_EVENT_BYTES} bytes; send less")
    notes.note(
        "params.items",
        f"{len(items)} items",
        Done.CUT,
        f"{len(bare)} items without their texts",
        remedy=f"send at most {MAX_EVENT_BYTES} bytes an event",
    )
    return Mended(event=shrunk, mends=(*mended.mends, *notes.mends))


def _with_items(event: Event | CustomEvent, items: tuple[EventItem, ...]) -> Any:
    params: Any = event.params
    return replace(event, params=replace(params, items=items))


def _depth(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + max((_depth(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(inner) for inner in value), default=0)
    return 0
