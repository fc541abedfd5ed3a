"""What a dialect is: the words in which a shop system writes its catalogue, and how its rows become items. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

Row = dict[str, Any]
Convert = Callable[[Row], Iterable[Row]]
"""A row by normalised column names to rows of items; fields of ours among its keys are taken as they are."""

MAX_REMEMBERED: Final = 1_000_000
"""Rows that a dialect remembers for later ones, such as parents of variants."""

_KEYED: Final = re.compile(r'([\w\-]+)=("(?:[^"]|"")*"|.*?)(?=,[\w\-]+=|$)', re.DOTALL)


def as_it_is(row: Row) -> Iterable[Row]:
    """Return the row alone: its columns only need other names."""
    return (row,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A shop system's or a channel's way of writing a catalogue.

    Attributes
    ----------
    name, words : str
        As the report names it, and as a person reads it.
    marks : tuple of frozenset of str
        Normalised columns; a file that has all of one set is written in this dialect.
    fields : mapping of str to str
        Column to field; an empty field for a column that says nothing of an item. ``*`` stands for any characters,
        in names that the converter takes. Columns that are not named here are understood by their general names.
    converter : callable
        Makes what turns rows into rows of items, once for each file, so that it may remember earlier rows.
    """

    name: str
    words: str
    marks: tuple[frozenset[str], ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    converter: Callable[[], Convert] = lambda: as_it_is

    def field_of(self, column: str) -> str | None:
        """Return the field that a normalised column feeds; None for one that is not declared."""
        if column in self.fields:
            return self.fields[column]
        patterns = (name for name in self.fields if "*" in name)
        return next((self.fields[name] for name in patterns if fnmatchcase(column, name)), None)


def said(row: Row, *names: str) -> str:
    """Take columns out of a row, and return the first that says something, as a text."""
    found = ""
    for name in names:
        value = row.pop(name, None)
        if value is not None and not found and not isinstance(value, dict | list):
            found = str(value).strip()
    return found


def put(row: Row, **fields: Any) -> Row:
    """Set the fields that say something."""
    row.update({name: value for name, value in fields.items() if value not in ("", None, [], {})})
    return row


def number_of(text: str) -> float | None:
    """Return a number that a system wrote with a decimal point; None for what is none."""
    try:
        return float(text)
    except ValueError:
        return None


def pairs(text: str) -> dict[str, str]:
    """Return ``color=Black,size="S, M"`` as a mapping."""
    return {name: value.strip('"').replace('""', '"') for name, value in _KEYED.findall(text.strip().rstrip(","))}


def deepest(paths: Iterable[str], *, separator: str = ">") -> str:
    """Return the most special one of several category paths; of equals, the first."""
    split = [[name.strip() for name in path.split(separator) if name.strip()] for path in paths]
    longest: list[str] = []
    for names in split:
        longest = names if len(names) > len(longest) else longest
    return " > ".join(longest)
