"""What became of a feed: how many items were made, changed or left alone, and each row that was refused and why."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

MAX_BAD_ROWS: Final = 1_000
"""Refused rows that a report names; beyond that they are only counted."""

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


class FeedReport(msgspec.Struct, kw_only=True):
    """The outcome of one load; counts are exact, ``bad_rows`` names the first ``MAX_BAD_ROWS``."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: int = 0
    rejected: int = 0
    bad_rows: list[BadRow] = []
    ignored_fields: list[str] = []
    warnings: list[str] = []

    @property
    def accepted(self) -> int:
        """How many rows are in the catalogue now."""
        return self.created + self.updated + self.unchanged

    def refuse(self, line: int, *, field: str, value: object, reason: str, item_id: str = "") -> None:
        """Count a refused row, and name it while there is room."""
        self.rejected += 1
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
