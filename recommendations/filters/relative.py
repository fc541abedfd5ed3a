"""Conditions that compare with the item of the page, and what they say of one page: its values put in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from recommendations.filters.language import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    PageValue,
    Value,
    page_names_of,
)
from recommendations.filters.masks import Columns, NumberColumn, TagColumn, TextColumn

NOTHING: Final = AnyOf(())
"""Matches no item."""

EVERYTHING: Final = AllOf(())
"""Matches every item."""

MAX_PAGE_VALUES: Final = 50
"""Of an attribute that holds several, such as tags."""


def is_relative(condition: Condition) -> bool:
    """Return whether a condition compares with the item of the page."""
    return next(page_names_of(condition), None) is not None


def on_page(condition: Condition, columns: Columns, page_row: int) -> Condition:
    """Return what a condition says on the page of one item.

    A comparison with what that item does not have matches nothing, whatever the operator: so does any comparison of a
    value that is missing. Of several values, such as tags, one that both have is enough.
    """
    match condition:
        case Comparison(name=name, operator=operator, values=values):
            if not any(isinstance(value, PageValue) for value in values):
                return condition
            known = tuple(_known(values, columns, page_row))
            if not known:
                return NOTHING
            return Comparison(name, "in" if operator == "=" and len(known) > 1 else operator, known)
        case Not(part=part):
            return Not(on_page(part, columns, page_row))
        case AllOf(parts=parts):
            return AllOf(tuple(on_page(each, columns, page_row) for each in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(on_page(each, columns, page_row) for each in parts))


def on_any_page(condition: Condition) -> Condition:
    """Return what a condition may match on some page: its comparisons with the page's item match everything."""
    match condition:
        case Comparison(values=values):
            return EVERYTHING if any(isinstance(value, PageValue) for value in values) else condition
        case Not(part=part):
            return EVERYTHING if is_relative(part) else condition
        case AllOf(parts=parts):
            return AllOf(tuple(on_any_page(each) for each in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(on_any_page(each) for each in parts))


def _known(values: tuple[Value, ...], columns: Columns, page_row: int) -> Iterator[Value]:
    for value in values:
        if isinstance(value, PageValue):
            yield from _of_row(value, columns, page_row)
        else:
            yield value


def _of_row(value: PageValue, columns: Columns, row: int) -> Iterator[Value]:
    column = columns.column(value.name)
    if isinstance(column, NumberColumn):
        number = float(column.values[row])
        if not np.isnan(number):
            yield number * value.factor
    elif isinstance(column, TextColumn):
        text = column.labels[int(column.codes[row])]
        if text:
            yield text
    elif isinstance(column, TagColumn):
        found = [tag for tag, rows in column.rows.items() if (rows[rows.searchsorted(row) :][:1] == row).any()]
        yield from sorted(found)[:MAX_PAGE_VALUES]
