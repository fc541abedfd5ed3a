"""What became of a feed: how many items were made, changed or left alone, what was mended, what was refused and why."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

MAX_BAD_ROWS: Final = 1_000
"""Refused rows that a report names; beyond that they are only counted."""

MAX_COLUMNS: Final = 500
"""Columns that a report names."""

MAX_REFUSED_IDS: Final = 10_000
"""Ids of refused rows that are remembered; an empty one for a row whose id is not known."""

SAMPLES: Final = 3
_MAX_VALUE_LENGTH: Final = 100


class FeedBroken(Exception):
    """The rest of the file cannot be read; rows before ``line`` were."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = printable(reason)
        super().__init__(f"line {line}: {self.reason}" if line else self.reason)


class RawRow(NamedTuple):
    """A row as a reader found it: its line in the file, counted from 1, and its fields by the feed's own names."""

    line: int
    values: dict[str, Any]


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was refused."""

    line: int
    item_id: str = ""
    field: str
    value: str
    reason: str


class Mended(msgspec.Struct, kw_only=True):
    """One kind of mend: what was done to a field, how often, and where it was done first."""

    field: str
    what: str
    count: int
    line: int
    value: str


class Column(msgspec.Struct, kw_only=True):
    """A column of a table, a key of JSON, a tag of XML: its name in the file, and what stands in it."""

    name: str
    samples: list[str] = []
    filled: int = 0


class FeedReport(msgspec.Struct, kw_only=True):
    """The outcome of one load; counts are exact, ``bad_rows`` names the first ``MAX_BAD_ROWS``.

    Attributes
    ----------
    notes : list of str
        How the file was read: its container, its encoding, its dialect, lines that were skipped.
    mended : dict of str to Mended
        By field and what was done.
    columns : dict of str to Column
        What the file holds, by its normalised name, with values of the first rows.
    refused_ids : list of str
        Of refused rows: they are in the file, and only damaged.
    missing_ids : list of str
        Active items that a whole catalogue does not name, when they are too many to be deactivated unseen.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: int = 0
    rejected: int = 0
    bad_rows: list[BadRow] = []
    ignored_fields: list[str] = []
    warnings: list[str] = []
    notes: list[str] = []
    mended: dict[str, Mended] = {}
    columns: dict[str, Column] = {}
    missing_ids: list[str] = []
    refused_ids: list[str] = []
    dialect: str = ""

    @property
    def accepted(self) -> int:
        """How many rows are in the catalogue now."""
        return self.created + self.updated + self.unchanged

    def refuse(self, line: int, *, field: str, value: object, reason: str, item_id: str = "") -> None:
        """Count a refused row, and name it while there is room."""
        self.rejected += 1
        if len(self.refused_ids) < MAX_REFUSED_IDS:
            self.refused_ids.append(printable(item_id))
        if len(self.bad_rows) < MAX_BAD_ROWS:
            self.bad_rows.append(
                BadRow(
                    line=line,
                    item_id=printable(item_id),
                    field=printable(field),
                    value=shortened(value),
                    reason=printable(reason),
                )
            )

    def mend(self, field: str, what: str, value: object, *, line: int = 0, count: int = 1) -> None:
        """Count what was done to a value, and keep the first one."""
        known = self.mended.get(f"{field}: {what}")
        if known is not None:
            known.count += count
        elif len(self.mended) < MAX_BAD_ROWS:
            self.mended[f"{field}: {what}"] = Mended(
                field=printable(field), what=what, count=count, line=line, value=shortened(value)
            )

    def note(self, text: str) -> None:
        """Say once how the file was read."""
        if text not in self.notes:
            self.notes.append(printable(text))

    def saw(self, key: str, name: str, value: object = "") -> None:
        """Remember a column, and some of its values."""
        column = self.columns.get(key)
        if column is None:
            if len(self.columns) >= MAX_COLUMNS:
                return
            column = self.columns[key] = Column(name=shortened(name))
        if value in ("", None):
            return
        column.filled += 1
        sample = shortened(value)
        if len(column.samples) < SAMPLES and sample not in column.samples:
            column.samples.append(sample)

    def summary(self) -> str:
        """Return the counts in one line."""
        text = f"{self.created} created, {self.updated} changed, {self.unchanged} unchanged, {self.rejected} refused"
        return f"{text}, {self.deactivated} deactivated" if self.deactivated else text


def printable(text: str) -> str:
    """Return a text that every database takes: no U+0000 and no half of a pair of surrogates."""
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()


def shortened(value: object) -> str:
    """Return a value as a report shows it: printable and not long."""
    text = printable(str(value))
    return text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 1] + "…"
