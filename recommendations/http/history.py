"""A user's archived events a page at a time, newest first; reads no more days than the page needs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from django.conf import settings

from features.archive.maintenance import read_table
from features.archive.rows import COLUMNS, DAY_MS
from features.archive.writer import ArchiveFolder, date_of
from features.privacy.ownership import Ownership, logins_in
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")

_CURSOR: Final = re.compile(r"(\d{1,16})-(\d{1,5})-(.{1,128})", re.DOTALL)
MAX_DAY: Final = 2_900_000
"""In the year 9909; Python's dates end soon after."""


class Cursor(NamedTuple):
    """Where an event's row stands: newest first, then by row and event, so that no two have the same cursor."""

    minus_occurred_at_ms: int
    row: int
    event_id: str

    @classmethod
    def of(cls, event: dict[str, Any]) -> Cursor:
        """Return the cursor of an archived row."""
        return cls(-int(event["occurred_at_ms"]), int(event["row"]), str(event["event_id"]))

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return what ``str`` made; raises ``ValueError`` for anything else."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise ValueError("is no cursor of a history; send the 'next' of the page before as it came")
        return cls(-int(found[1]), int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{-self.minus_occurred_at_ms}-{self.row}-{self.event_id}"


def read_history(
    site: str, person: Ownership, *, after: Cursor | None, limit: int
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """Return a page of a user's events and where the next one begins, None after the last.

    Files are looked at a day at a time, from the newest day or that of ``after`` on. Memory: one file's rows. Whose an
    anonymous row is, is decided by the logins of its day alone; an export looks at all of them.

    Raises
    ------
    OSError
        The archive cannot be read.
    """
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    by_day: dict[str, list[str]] = defaultdict(list)
    for path in folder.files(site=site):
        by_day[path.rpartition("/date=")[2].partition("/")[0]].append(path)
    newest = "9999-99-99" if after is None else date_of(min(-after.minus_occurred_at_ms // DAY_MS, MAX_DAY))
    found: list[dict[str, Any]] = []
    for day in sorted((day for day in by_day if day <= newest), reverse=True):
        of_day = replace(person, logins=logins_in(_logins(folder, by_day[day], person)))
        rows = {Cursor.of(row): row for path in by_day[day] for row in _rows_of(folder, path, of_day)}
        found += [rows[cursor] for cursor in sorted(rows) if after is None or cursor > after]
        if len(found) > limit:
            return found[:limit], Cursor.of(found[limit - 1])
    return found, None


def _logins(folder: ArchiveFolder, paths: Sequence[str], person: Ownership) -> Iterator[pl.DataFrame]:
    for path in paths:
        frame = cast("pl.DataFrame", pl.from_arrow(read_table(folder, path, columns=person.columns)))
        yield frame.filter(pl.col("anonymous_id").is_in(list(person.browsers)))


def _rows_of(folder: ArchiveFolder, path: str, person: Ownership) -> list[dict[str, Any]]:
    table: pa.Table = read_table(folder, path, columns=COLUMNS)
    return cast("pl.DataFrame", pl.from_arrow(table)).filter(person.mask(table)).to_dicts()
