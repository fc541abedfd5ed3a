"""Rows of the archive by hand, and random lives: people who share browsers, change them, and log in and out."""

from __future__ import annotations

import random
import time
from typing import Any

from features.archive.rows import DAY_MS, rows_of, table_of
from features.archive.writer import ArchiveFolder, date_of
from tests.features.making import event, record
from tracking.contract.events import EventRecord

BROWSERS = [f"browser-{number:04d}-{'0' * 12}" for number in range(30)]


def row(anonymous_id: str | None, user_id: str | None, *, day: int = 0, at: int = 0) -> EventRecord:
    """Return a record of one view, ``day`` days before yesterday and ``at`` milliseconds after that day's noon."""
    at_ms = (int(time.time() * 1_000) // DAY_MS - 1 - day) * DAY_MS + DAY_MS // 2 + at
    name = f"{anonymous_id}-{user_id}-{day}-{at}"[:64].replace(".", "-")
    made: Any = event("view_item", event_id=name, at_ms=at_ms, items=["a"])
    return record(made, anonymous_id=anonymous_id, user_id=user_id)


def archive(folder: ArchiveFolder, records: list[EventRecord], *, site: str = "shop") -> None:
    """Write records as the archive's worker does: a file a day."""
    by_day: dict[int, list[Any]] = {}
    for one in records:
        for day, made in rows_of(one):
            by_day.setdefault(day, []).append(made)
    for day, made in by_day.items():
        folder.write_table(f"{folder.root}/site={site}/date={date_of(day)}/p0-{day}.parquet", table_of(made))


def lives(rng: random.Random, n_people: int) -> list[EventRecord]:
    """Return what ``n_people`` did on a few browsers that they share, logged in and not, over ten days."""
    found = []
    for day in range(9, -1, -1):
        for at in range(40):
            browser = rng.choice(BROWSERS)
            user = f"person-{rng.randrange(n_people)}" if rng.random() < 0.4 else None
            found.append(row(browser, user, day=day, at=at))
    return found
