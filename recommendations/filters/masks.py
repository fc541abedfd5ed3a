"""Which items a condition matches: its tree evaluated over the columns of a catalogue, one boolean a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, Not, Operator, as_number, as_text

Mask = NDArray[np.bool_]


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """

    codes: NDArray[np.int32]
    labels: tuple[str, ...]
    is_path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TagColumn:
    """Several values an item.

    Attributes
    ----------
    rows : mapping of value to int32 rows
        In lower case.
    """

    rows: dict[str, NDArray[np.int32]]


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


def mask_of(condition: Condition, columns: Columns) -> Mask:
    """Return which rows match.

    An attribute that the catalogue does not have matches nothing, so that a filter for one site's attribute is not
    an error on the day when its last item goes.
    """
    match condition:
        case Comparison():
            return _mask_of_comparison(condition, columns)
        case Not(part=part):
            return ~mask_of(part, columns)
        case AllOf(parts=parts):
            mask = np.ones(columns.n_rows, np.bool_)
            for each in parts:
                mask &= mask_of(each, columns)
            return mask
        case AnyOf(parts=parts):
            mask = np.zeros(columns.n_rows, np.bool_)
            for each in parts:
                mask |= mask_of(each, columns)
            return mask


def _mask_of_comparison(comparison: Comparison, columns: Columns) -> Mask:
    column = columns.column(comparison.name)
    if column is None:
        return np.full(columns.n_rows, comparison.operator == "empty", np.bool_)
    if isinstance(column, NumberColumn):
        return _number_mask(comparison, column)
    if isinstance(column, TagColumn):
        return _tag_mask(comparison, column, columns.n_rows)
    if isinstance(column, KeyColumn):
        return _key_mask(comparison, column, columns.n_rows)
    matches = _label_test(comparison, is_path=column.is_path)
    hits = np.fromiter((matches(label) for label in column.labels), np.bool_, len(column.labels))
    mask: Mask = hits[column.codes]
    return mask


def _number_mask(comparison: Comparison, column: NumberColumn) -> Mask:
    values = column.values
    if comparison.operator == "empty":
        missing: Mask = np.isnan(values)
        return missing
    wanted = [as_number(value) for value in comparison.values]
    numbers = np.asarray([number for number in wanted if number is not None], values.dtype)
    if comparison.operator == "!=":
        found: Mask = ~np.isnan(values) & ~np.isin(values, numbers)
        return found
    if not len(numbers):
        return np.zeros(len(values), np.bool_)
    if comparison.operator in ("=", "in", "has"):
        found = np.isin(values, numbers)
        return found
    number = numbers[0]
    with np.errstate(invalid="ignore"):  # comparisons with NaN are False, which is what we promise
        mask: Mask = {
            "<": np.less,
            "<=": np.less_equal,
            ">": np.greater,
            ">=": np.greater_equal,
        }.get(comparison.operator, _never)(values, number)
    return mask


def _never(values: NDArray[np.floating[Any]], number: np.floating[Any]) -> Mask:
    return np.zeros(len(values), np.bool_)


def _tag_mask(comparison: Comparison, column: TagColumn, n_rows: int) -> Mask:
    mask = np.zeros(n_rows, np.bool_)
    if comparison.operator == "empty":
        for rows in column.rows.values():
            mask[rows] = True
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


def _label_test(comparison: Comparison, *, is_path: bool) -> Callable[[str], bool]:
    operator = comparison.operator
    if operator == "empty":
        return lambda label: not label
    wanted = frozenset(as_text(value).casefold() for value in comparison.values)
    first = next(iter(wanted), "")
    if operator == "under":
        parts = _path(first)
        return lambda label: _is_under(_path(label.casefold()), parts)
    if operator == "has":
        return lambda label: bool(label) and first in label.casefold()
    if operator == "!=":
        return lambda label: bool(label) and label.casefold() not in wanted
    if operator in ("=", "in"):
        if is_path:  # "Shoes" names the leaf as well as the whole path
            return lambda label: bool(label) and (label.casefold() in wanted or _path(label.casefold())[-1] in wanted)
        return lambda label: bool(label) and label.casefold() in wanted
    limit = as_number(comparison.values[0])
    if limit is None:
        return lambda label: False
    return lambda label: _ordered(label, operator, limit)


def _ordered(label: str, operator: Operator, limit: float) -> bool:
    number = as_number(label)
    if number is None:
        return False
    return {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}[operator]


def _path(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(">"))


def _is_under(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Return whether ``parts`` stand in a row anywhere in ``path``: a category may be named without its parents."""
    length = len(parts)
    return any(path[start : start + length] == parts for start in range(len(path) - length + 1))
