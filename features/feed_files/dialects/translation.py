"""Rows of a file into our words: the dialect is told from the columns, and a person's choice of columns comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final

from features.feed_files.dialects.base import Dialect
from features.feed_files.dialects.registry import DIALECTS
from features.feed_files.names import normalised
from features.feed_files.report import FeedBroken, FeedReport, RawRow

LOOKED_AT: Final = 100
"""Rows by which the dialect of a file without a header is told, and whose values are shown as samples."""


def in_our_words(rows: Iterator[RawRow], report: FeedReport, *, mapping: Mapping[str, str]) -> Iterator[RawRow]:
    """Yield rows whose keys are fields of items, or names that are left for the general ones.

    Parameters
    ----------
    rows : iterator of RawRow
        By the file's own columns.
    report : FeedReport
        Receives the columns with samples, the dialect, and which columns it does not use.
    mapping : mapping of str to str
        Column to field, chosen by a person; an empty field leaves the column out.
    """
    chosen = {normalised(column): field for column, field in mapping.items()}
    first, broken = _beginning(rows, report)
    dialect = dialect_of(report.columns.keys() - chosen.keys())
    report.dialect = dialect.name if dialect else ""
    if dialect:
        report.note(dialect.words)
    convert = dialect.converter() if dialect else None
    for row in chain(first, (_normalised(row, report) for row in rows)):
        values = row.values
        own = {field: values[column] for column, field in chosen.items() if field and column in values}
        rest = {name: value for name, value in values.items() if name not in chosen}
        if dialect is None or convert is None:
            has_sales = "sale_price" in report.columns or "sale_price" in chosen.values()
            yield RawRow(row.line, _priced({**rest, **own}, has_sales=has_sales))
            continue
        for converted in convert(rest):
            yield RawRow(row.line, _priced({**_renamed(converted, dialect), **own}, has_sales=True))
    if broken is not None:
        raise broken


def _beginning(rows: Iterator[RawRow], report: FeedReport) -> tuple[list[RawRow], FeedBroken | None]:
    """Return the first rows, and what broke the file off among them."""
    first: list[RawRow] = []
    try:
        for row in islice(rows, LOOKED_AT):
            first.append(_normalised(row, report))
    except FeedBroken as error:
        return first, error
    return first, None


def dialect_of(columns: Iterable[str]) -> Dialect | None:
    """Return the dialect that a file with these normalised columns is written in; None for a plain one."""
    names = frozenset(columns)
    return next((one for one in DIALECTS if any(marks <= names for marks in one.marks)), None)


def _priced(values: dict[str, Any], *, has_sales: bool) -> dict[str, Any]:
    """Return a row in which a price without a sale price says that there is no sale, where the file tells of sales."""
    return {**values, "sale_price": ""} if has_sales and "price" in values and "sale_price" not in values else values


def _renamed(row: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in row.items():
        field = dialect.fields.get(name, name)
        if field and (field == name or field not in row):
            renamed.setdefault(field, value)
    return renamed


def _normalised(row: RawRow, report: FeedReport) -> RawRow:
    values: dict[str, Any] = {}
    for name, value in row.values.items():
        key = normalised(str(name))
        column = report.columns.get(key)
        if column is None or column.filled < LOOKED_AT:
            report.saw(key, str(name), value)
        values.setdefault(key, value)
    return RawRow(row.line, values)
