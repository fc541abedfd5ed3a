"""What a condition costs to evaluate, known before it is evaluated.

The unit is about a microsecond of one core of a server of 2025; elsewhere a price is off by a factor, but two prices
compare. A price depends on the condition and the catalogue alone, not on what is cached, so
that the same request is always accepted or always refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, Not, as_text, normal_form
from recommendations.filters.masks import FEW_NUMBERS, Column, Columns, KeyColumn, NumberColumn, TagColumn, TextColumn

MAX_PRICE: Final = 12_000.0
"""The most that the conditions of one request with a publishable key may cost together."""

PER_COMPARISON: Final = 10.0
PER_ROW: Final = 0.0005
PER_ROW_OF_LABELS: Final = 0.003
PER_ROW_BISECTED: Final = 0.06
PER_ROW_OF_TAG: Final = 0.003
PER_LABEL: Final = 0.003
PER_LABEL_SEARCHED: Final = 0.08
PER_CHARACTER_SEARCHED: Final = 0.0007
PER_VALUE: Final = 1.0
_SEARCHES: Final = frozenset({"has", "under"})


def price_of(conditions: Iterable[Condition], columns: Columns) -> float:
    """Return what it costs to evaluate all of these, each different one once, at its dearest way of being written."""
    different: dict[str, float] = {}
    for each in conditions:
        form = normal_form(each)
        different[form] = max(_price(each, columns), different.get(form, 0.0))
    return sum(different.values())


def _price(condition: Condition, columns: Columns) -> float:
    match condition:
        case Comparison():
            per_pass = PER_COMPARISON + PER_ROW * columns.n_rows
            return per_pass + PER_VALUE * len(condition.values) + _of_column(condition, columns)
        case Not(part=part):
            return PER_ROW * columns.n_rows + _price(part, columns)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return sum(PER_ROW * columns.n_rows + _price(each, columns) for each in parts)


def _of_column(comparison: Comparison, columns: Columns) -> float:
    column: Column | None = columns.column(comparison.name)
    match column:
        case TextColumn():
            return _of_labels(comparison, column) + PER_ROW_OF_LABELS * columns.n_rows
        case NumberColumn():
            n_values = len(comparison.values)
            return columns.n_rows * (PER_ROW * n_values if n_values <= FEW_NUMBERS else PER_ROW_BISECTED)
        case TagColumn():
            return PER_ROW_OF_TAG * _n_tagged(comparison, column)
        case KeyColumn() | None:
            return 0.0


def _of_labels(comparison: Comparison, column: TextColumn) -> float:
    price = PER_LABEL * len(column.labels)
    if comparison.operator in _SEARCHES:
        price += PER_LABEL_SEARCHED * len(column.labels) + PER_CHARACTER_SEARCHED * column.prepared.n_characters
    return price


def _n_tagged(comparison: Comparison, column: TagColumn) -> int:
    if comparison.operator == "empty":
        return len(column.tagged)
    none = np.empty(0, np.int32)
    return sum(len(column.rows.get(as_text(value).casefold(), none)) for value in comparison.values)
