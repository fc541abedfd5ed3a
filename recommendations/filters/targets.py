"""What a condition matches, asked of some rows at a time: its columns looked up beforehand, no mask of all items.

Thousands of rules over a million items would hold a gigabyte for each thousand masks. What is kept here of a condition
are the labels, tags and ids that it names, as numbers: some hundred bytes. Rows are then compared in whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.filters.labels import ORDERS, Mask
from recommendations.filters.language import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    PageValue,
    as_number,
    as_text,
)
from recommendations.filters.masks import Columns, KeyColumn, NumberColumn, TagColumn, TextColumn, mask_of

Rows = NDArray[np.int32]
Test = Callable[[Rows], Mask]

FEW: Final = 4
"""Codes that are compared one by one."""

BITS_FROM: Final = 32
"""A set of rows is kept as bits where it holds more than one in so many: then that takes less room."""


class Targets:
    """A condition over one state of a catalogue.

    Attributes
    ----------
    n_bytes : int
        What it holds beside the columns.
    """

    def __init__(self, condition: Condition, columns: Columns) -> None:
        self._condition = condition
        self._columns = columns
        self.n_bytes = 64
        self._test = self._compiled(condition)

    def take(self, rows: Any) -> Mask:
        """Return which of ``rows`` match, one boolean each."""
        return self._test(np.asarray(rows, np.int32))

    def whole(self) -> Mask:
        """Return which of all rows match; made for this call."""
        return mask_of(self._condition, self._columns)

    def _compiled(self, condition: Condition) -> Test:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Not(part=part):
                test = self._compiled(part)
                return lambda rows: ~test(rows)
            case AllOf(parts=()):
                return lambda rows: np.ones(len(rows), np.bool_)
            case AnyOf(parts=()):
                return _none
            case AllOf(parts=parts):
                return _joined([self._compiled(each) for each in parts], np.logical_and)
            case AnyOf(parts=parts):
                return _joined([self._compiled(each) for each in parts], np.logical_or)

    def _comparison(self, comparison: Comparison) -> Test:
        if any(isinstance(value, PageValue) for value in comparison.values):
            return _none  # of a page that is not known
        column = self._columns.column(comparison.name)
        operator = comparison.operator
        if column is None:
            return (lambda rows: np.ones(len(rows), np.bool_)) if operator == "empty" else _none
        if isinstance(column, NumberColumn):
            return _numbers(comparison, column)
        if isinstance(column, TextColumn):
            return self._codes(column, np.flatnonzero(column.prepared.matching(comparison)).astype(np.int32))
        found, is_negated = rows_named(comparison, column), operator in ("empty", "!=")
        if isinstance(column, TagColumn) and operator == "empty":
            found = column.tagged
        elif isinstance(column, KeyColumn):
            is_negated = operator == "!="
        is_shared = isinstance(column, TagColumn) and len(comparison.values) <= 1
        test = self._members(found, self._columns.n_rows, shared=is_shared)
        return (lambda rows: ~test(rows)) if is_negated else test

    def _codes(self, column: TextColumn, wanted: Rows) -> Test:
        codes = column.codes
        if len(wanted) <= FEW:
            kept = wanted.tolist()
            return lambda rows: _equals_any(codes.take(rows), kept)
        test = self._members(wanted, len(column.labels))
        return lambda rows: test(codes.take(rows))

    def _members(self, ascending: Rows, n: int, *, shared: bool = False) -> Test:
        """Return the test whether numbers below ``n`` are among ascending ones; a column holds those ``shared``."""
        if not len(ascending):
            return _none
        if len(ascending) * BITS_FROM > n:
            mask = np.zeros(n, np.bool_)
            mask[ascending] = True
            bits = np.packbits(mask, bitorder="little")
            self.n_bytes += bits.nbytes
            return lambda rows: (bits.take(rows >> 3) >> (rows & 7).astype(np.uint8) & 1).view(np.bool_)
        self.n_bytes += 0 if shared else ascending.nbytes
        last = len(ascending) - 1

        def test(rows: Rows) -> Mask:
            found: Mask = ascending.take(ascending.searchsorted(rows).clip(max=last)) == rows
            return found

        return test


def whole_of(targeted: Mask | Targets) -> Mask:
    """Return which of all rows a mask, or what stands for one, holds."""
    return targeted.whole() if isinstance(targeted, Targets) else targeted


def _none(rows: Rows) -> Mask:
    return np.zeros(len(rows), np.bool_)


def _joined(tests: list[Test], join: Any) -> Test:
    first, *others = tests
    if not others:
        return first

    def test(rows: Rows) -> Mask:
        found = first(rows)
        for each in others:
            found = join(found, each(rows))
        return found

    return test


def _equals_any(values: NDArray[Any], wanted: list[Any]) -> Mask:
    found: Mask = np.zeros(len(values), np.bool_)
    for each in wanted:
        found |= values == each
    return found


def _numbers(comparison: Comparison, column: NumberColumn) -> Test:
    values, operator = column.values, comparison.operator
    if operator == "empty":
        return lambda rows: np.isnan(values.take(rows))
    wanted = [number for value in comparison.values if (number := as_number(value)) is not None]
    numbers = np.unique(np.asarray(wanted, values.dtype))

    def equal(found: NDArray[Any]) -> Mask:
        return np.isin(found, numbers) if len(numbers) > FEW else _equals_any(found, list(numbers))

    if operator == "!=":
        return lambda rows: ~np.isnan(found := values.take(rows)) & ~equal(found)
    if not len(numbers):
        return _none
    if operator in ("=", "in", "has"):
        return lambda rows: equal(values.take(rows))
    order = ORDERS.get(operator)
    if order is None:
        return _none
    limit = np.asarray(wanted[:1], values.dtype)[0]
    return lambda rows: order(values.take(rows), limit)  # NaN matches nothing


def rows_named(comparison: Comparison, column: TagColumn | KeyColumn) -> Rows:
    """Return the rows that have one of the values, ascending."""
    found: list[Any] = []
    for value in comparison.values:
        text = as_text(value)
        rows = column.rows.get(text.casefold()) if isinstance(column, TagColumn) else column.row_of(text)
        if rows is not None:
            found.append(np.atleast_1d(np.asarray(rows, np.int32)))
    if len(found) == 1:  # rows of a tag are ascending, and are shared by all rules that name it
        return found[0] if isinstance(column, TagColumn) else np.sort(found[0])
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int32)
