"""Which items a condition matches: its tree evaluated over the columns of a catalogue, one boolean a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import RecommendationError
from recommendations.filters.labels import ORDERS, Labels, Mask
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

FEW_NUMBERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberColumn:
    """A column of numbers.

    Attributes
    ----------
    values : float32 or float64, shape (n_rows,)
        NaN where the item has none. Values of a condition are rounded to the same type before they are compared,
        so that ``price = 19.99`` finds 19.99.
    """

    values: NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class TextColumn:
    """A column of texts, each distinct one kept once.

    Attributes
    ----------
    codes : int32, shape (n_rows,)
        Index into ``labels``.
    labels : tuple of str
        Distinct values; the empty string where an item has none.
    is_path : bool
        Labels are paths from general to special, joined by ``" > "``.
    is_code : bool
        Labels are words of ours, such as ``in_stock``; "in stock" and "In-Stock" are the same.
    """

    codes: NDArray[np.int32]
    labels: tuple[str, ...]
    is_path: bool = False
    is_code: bool = False

    @cached_property
    def prepared(self) -> Labels:
        """The labels as comparisons look them up."""
        return Labels(self.labels, is_path=self.is_path, is_code=self.is_code)


@dataclass(frozen=True, kw_only=True)
class TagColumn:
    """Several values an item.

    Attributes
    ----------
    rows : mapping of value to int32 rows
        In lower case.
    """

    rows: dict[str, NDArray[np.int32]]

    @cached_property
    def tagged(self) -> NDArray[np.int32]:
        """The rows that have some value, each once, ascending."""
        return np.unique(np.concatenate([*self.rows.values(), np.empty(0, np.int32)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyColumn:
    """A column that is looked up instead of compared; upper and lower case differ.

    Attributes
    ----------
    row_of : callable
        Returns the row of a value, or its rows; ``None`` when there is none.
    """

    row_of: Callable[[str], int | NDArray[np.int32] | None]


Column = NumberColumn | TextColumn | TagColumn | KeyColumn


class Columns(Protocol):
    """The attributes of a catalogue, by name."""

    n_rows: int

    def column(self, name: str) -> Column | None:
        """Return the column, or ``None`` when no item has such an attribute."""
        ...


class OutOfTime(RecommendationError):
    """The time for a mask was over before it was made."""


def _no_limit() -> bool:
    return False


def mask_of(condition: Condition, columns: Columns, *, is_late: Callable[[], bool] = _no_limit) -> Mask:
    """Return which rows match.

    An attribute that the catalogue does not have matches nothing, so that a filter for one site's attribute is not
    an error on the day when its last item goes.

    Parameters
    ----------
    is_late : callable
        Asked before each comparison; what one costs is bounded by ``price_of``.

    Raises
    ------
    OutOfTime
        ``is_late`` said so.
    """
    match condition:
        case Comparison():
            if is_late():
                raise OutOfTime("the time for a mask is over")
            return _mask_of_comparison(condition, columns)
        case Not(part=part):
            return ~mask_of(part, columns, is_late=is_late)
        case AllOf(parts=parts):
            mask = np.ones(columns.n_rows, np.bool_)
            for each in parts:
                mask &= mask_of(each, columns, is_late=is_late)
            return mask
        case AnyOf(parts=parts):
            mask = np.zeros(columns.n_rows, np.bool_)
            for each in parts:
                mask |= mask_of(each, columns, is_late=is_late)
            return mask


def _mask_of_comparison(comparison: Comparison, columns: Columns) -> Mask:
    if any(isinstance(value, PageValue) for value in comparison.values):
        return np.zeros(columns.n_rows, np.bool_)  # of a page that is not known
    column = columns.column(comparison.name)
    if column is None:
        return np.full(columns.n_rows, comparison.operator == "empty", np.bool_)
    if isinstance(column, NumberColumn):
        return _number_mask(comparison, column)
    if isinstance(column, TagColumn):
        return _tag_mask(comparison, column, columns.n_rows)
    if isinstance(column, KeyColumn):
        return _key_mask(comparison, column, columns.n_rows)
    mask: Mask = column.prepared.matching(comparison).take(column.codes)
    return mask


def _number_mask(comparison: Comparison, column: NumberColumn) -> Mask:
    values = column.values
    if comparison.operator == "empty":
        missing: Mask = np.isnan(values)
        return missing
    wanted = [as_number(value) for value in comparison.values]
    numbers = np.asarray([number for number in wanted if number is not None], values.dtype)
    if comparison.operator == "!=":
        found: Mask = ~np.isnan(values) & ~_equals_any(values, numbers)
        return found
    if not len(numbers):
        return np.zeros(len(values), np.bool_)
    if comparison.operator in ("=", "in", "has"):
        return _equals_any(values, numbers)
    order = ORDERS.get(comparison.operator)
    if order is None:
        return np.zeros(len(values), np.bool_)
    with np.errstate(invalid="ignore"):  # comparisons with NaN are False, which is what we promise
        mask: Mask = order(values, numbers[0])
    return mask


def _equals_any(values: NDArray[np.floating[Any]], numbers: NDArray[np.floating[Any]]) -> Mask:
    """Return which values are among the numbers: by one pass a number where they are few, else by bisection."""
    found: Mask = np.zeros(len(values), np.bool_)
    if len(numbers) <= FEW_NUMBERS:
        for number in numbers:
            found |= values == number
        return found
    ascending = np.unique(numbers)
    nearest = ascending.searchsorted(values).clip(max=len(ascending) - 1)
    found = ascending.take(nearest) == values
    return found


def _tag_mask(comparison: Comparison, column: TagColumn, n_rows: int) -> Mask:
    mask = np.zeros(n_rows, np.bool_)
    if comparison.operator == "empty":
        mask[column.tagged] = True
        return ~mask
    for value in comparison.values:
        rows_of_value = column.rows.get(as_text(value).casefold())
        if rows_of_value is not None:
            mask[rows_of_value] = True
    return ~mask if comparison.operator == "!=" else mask


def _key_mask(comparison: Comparison, column: KeyColumn, n_rows: int) -> Mask:
    mask = np.zeros(n_rows, np.bool_)
    for value in comparison.values:
        row = column.row_of(as_text(value))
        if row is not None:
            mask[row] = True
    return ~mask if comparison.operator == "!=" else mask
