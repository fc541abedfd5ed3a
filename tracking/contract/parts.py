"""An order of more lines than an event takes, as several events of one order. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tracking.contract.events import MAX_ITEMS, EventItem


def parts_of(items: Iterable[EventItem]) -> list[tuple[EventItem, ...]]:
    """Return lists of at most ``MAX_ITEMS`` lines; all lines of an item stand in one of them.

    Quantities of one item add up within an event, not between the events of an order (an order that is reported again
    is not a second one), so an item's lines must not be separated. An item with more lines than fit is cut.
    """
    by_item: dict[str, list[EventItem]] = {}
    for item in items:
        by_item.setdefault(item.item_id, []).append(item)
    parts: list[list[EventItem]] = [[]]
    for lines in by_item.values():
        if len(parts[-1]) + len(lines) > MAX_ITEMS and parts[-1]:
            parts.append([])
        parts[-1] += lines[:MAX_ITEMS]
    return [tuple(part) for part in parts if part]
