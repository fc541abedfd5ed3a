"""Archives for tests: what shoppers did, as the stream worker would have written it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.archive.rows import COLUMNS, Row, rows_of
from features.archive.writer import ArchiveFolder
from tests.features.making import event, record

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
EVENTS = ("view_item", "view_item", "add_to_cart")
AISLES, AISLE = 6, 5


def write_sessions(
    url: str | Path,
    site: str,
    sessions: Sequence[tuple[int, Sequence[str]]],
    *,
    price: float = 20.0,
    bot: bool = False,
    anonymous_id: str | None = None,
    **context: Any,
) -> None:
    """Write sessions, each with its start and its items; a minute between two of them, every third one a cart.

    Each is of a user of its own unless ``anonymous_id`` names one.
    """
    rows: dict[int, list[Row]] = defaultdict(list)
    for number, (start_ms, items) in enumerate(sessions):
        events = [
            event(EVENTS[position % 3], at_ms=start_ms + position * 60_000, items=[{"item_id": item, "price": price}])
            for position, item in enumerate(items)
        ]
        for one in events:
            one["session_id"] = f"s{start_ms}-{number}"
        owner = anonymous_id or f"anonymous-{start_ms}-{number}"
        for day, row in rows_of(record(*events, site=site, anonymous_id=owner, **context)):
            rows[day].append(
                row if not bot else tuple(v if c != "bot" else True for c, v in zip(COLUMNS, row, strict=True))
            )
    folder = ArchiveFolder(str(url))
    for day, found in rows.items():
        folder.write(site, day, f"p0-{sessions[0][0]}-{len(found)}.parquet", found)


def write_clicked_lists(url: str | Path, site: str, n: int, *, from_ms: int, until_ms: int, seed: int) -> None:
    """Write lists of ten items in any order; a place is looked at half as often as the one before, and then clicked."""
    rng = np.random.default_rng(seed)
    rows: dict[int, list[Row]] = defaultdict(list)
    for number, start_ms in enumerate(rng.integers(from_ms, until_ms, n).tolist()):
        shown = rng.permutation(aisle_items())[:10].tolist()
        listed = [{"item_id": item, "index": position} for position, item in enumerate(shown)]
        events = [event("view_item_list", at_ms=start_ms, item_list_id="home", items=listed)]
        for position in np.flatnonzero(rng.random(10) < 0.5 ** np.arange(10)).tolist():
            at_ms = start_ms + 2_000 * (position + 1)
            events.append(event("select_item", at_ms=at_ms, item_list_id="home", items=[listed[position]]))
            events.append(event("view_item", at_ms=at_ms + 500, items=[shown[position]]))
        for one in events:
            one["session_id"] = f"list-{number}"
        for day, row in rows_of(record(*events, site=site, anonymous_id=f"reader-{number:024d}")):
            rows[day].append(row)
    folder = ArchiveFolder(str(url))
    for day, found in rows.items():
        folder.write(site, day, f"p1-{day}-{len(found)}.parquet", found)


def aisle_walks(n: int, *, from_ms: int, until_ms: int, seed: int, longest: int = 5) -> list[tuple[int, list[str]]]:
    """Return sessions of shoppers who each walk one aisle, item by item and round again."""
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(from_ms, until_ms - HOUR_MS // 4, n))
    walks = []
    for start_ms in starts.tolist():
        aisle, first, length = rng.integers(AISLES), rng.integers(AISLE), rng.integers(2, longest)
        walks.append((start_ms, [f"a{aisle}-{(first + step) % AISLE}" for step in range(length)]))
    return walks


def aisle_items() -> list[str]:
    """Return every item of the aisles."""
    return [f"a{aisle}-{position}" for aisle in range(AISLES) for position in range(AISLE)]
