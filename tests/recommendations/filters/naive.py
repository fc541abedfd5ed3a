"""Conditions evaluated row by row, as the language says them; random tables and conditions to compare masks on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, Not, as_number, as_text
from recommendations.filters.masks import Column, KeyColumn, NumberColumn, TagColumn, TextColumn

LABELS = [
    "",
    "Shoes",
    "SHOES",
    "Women > Shoes",
    "Women > shoes > Boots",
    "Men>Shoes",
    "40",
    "9.5",
    "Straße",
    "STRASSE",
    "a>",
]
NUMBERS = [0.0, 1.0, 9.5, 40.0, -3.0]
VALUES = [*LABELS, "shoe", "Shoes > Boots", ">", "women", *NUMBERS, True, False]


@dataclass
class Table:
    """Rows of a text, a path, a number and tags, and the columns of them."""

    texts: Sequence[str]
    paths: Sequence[str]
    numbers: Sequence[float | None]
    tags: Sequence[frozenset[str]]

    def __post_init__(self) -> None:
        self.n_rows = len(self.texts)

    def column(self, name: str) -> Column | None:
        if name == "text":
            return _text(self.texts, is_path=False)
        if name == "path":
            return _text(self.paths, is_path=True)
        if name == "number":
            return NumberColumn(values=np.array([np.nan if n is None else n for n in self.numbers], np.float32))
        if name == "tags":
            words = {word for each in self.tags for word in each}
            return TagColumn(
                rows={w: np.array([w in each for each in self.tags]).nonzero()[0].astype(np.int32) for w in words}
            )
        if name == "id":
            return KeyColumn(row_of={f"i{row}": row for row in range(self.n_rows)}.get)
        return None


def matches(condition: Condition, table: Table, row: int) -> bool:
    """Return whether one row matches, by the meaning of each word of the language."""
    match condition:
        case Not(part=part):
            return not matches(part, table, row)
        case AllOf(parts=parts):
            return all(matches(each, table, row) for each in parts)
        case AnyOf(parts=parts):
            return any(matches(each, table, row) for each in parts)
        case Comparison(name=name):
            if name == "number":
                return _number_matches(condition, table.numbers[row])
            if name in ("text", "path"):
                return _text_matches(
                    condition, (table.texts if name == "text" else table.paths)[row], is_path=name == "path"
                )
            if name in ("tags", "id"):
                return _set_matches(condition, table.tags[row] if name == "tags" else {f"i{row}"}, folds=name == "tags")
            return condition.operator == "empty"


def _set_matches(comparison: Comparison, has: Any, *, folds: bool) -> bool:
    if comparison.operator == "empty":
        return not has
    wanted = {as_text(value).casefold() if folds else as_text(value) for value in comparison.values}
    return bool(wanted & has) != (comparison.operator == "!=")


def _number_matches(comparison: Comparison, has: float | None) -> bool:
    if comparison.operator == "empty":
        return has is None
    wanted = [number for value in comparison.values if (number := as_number(value)) is not None]
    if has is None or (comparison.operator == "under") or (not wanted and comparison.operator != "!="):
        return False
    return _compares(comparison.operator, has, wanted)


def _compares(operator: str, has: float, wanted: Sequence[float]) -> bool:
    if operator == "!=":
        return has not in wanted
    if operator in ("=", "in", "has"):
        return has in wanted
    return {"<": has < wanted[0], "<=": has <= wanted[0], ">": has > wanted[0], ">=": has >= wanted[0]}[operator]


def _text_matches(comparison: Comparison, label: str, *, is_path: bool) -> bool:
    operator = comparison.operator
    if operator == "empty" or not label:
        return operator == "empty" and not label
    has = label.casefold()
    parts = [part.strip() for part in has.split(">")]
    wanted = [as_text(value).casefold() for value in comparison.values]
    if operator == "has":
        return wanted[0] in has
    if operator == "under":
        inner = [part.strip() for part in wanted[0].split(">")]
        return any(parts[at : at + len(inner)] == inner for at in range(len(parts)))
    if operator in ("=", "in"):
        return has in wanted or (is_path and parts[-1] in wanted)
    if operator == "!=":
        return has not in wanted
    number, limit = as_number(has), as_number(comparison.values[0])
    return number is not None and limit is not None and _compares(operator, number, [limit])


def _text(labels: Sequence[str], *, is_path: bool) -> TextColumn:
    different = tuple(dict.fromkeys(labels))
    codes = np.array([different.index(label) for label in labels], np.int32)
    return TextColumn(codes=codes, labels=different, is_path=is_path)


def tables(min_rows: int = 1) -> st.SearchStrategy[Table]:
    """Return random tables."""
    rows = st.lists(
        st.tuples(
            st.sampled_from(LABELS),
            st.sampled_from(LABELS),
            st.sampled_from([*NUMBERS, None]),
            st.frozensets(st.sampled_from(["sale", "40", "straße".casefold(), "true"]), max_size=2),
        ),
        min_size=min_rows,
        max_size=12,
    )
    return rows.map(lambda found: Table(*(tuple(column) for column in zip(*found, strict=True))))


def _comparisons() -> st.SearchStrategy[Condition]:
    name = st.sampled_from(["text", "path", "number", "tags", "id", "gone"])
    value = st.sampled_from([*VALUES, "sale", "i0", "i3"])
    one = st.builds(
        lambda name, operator, value: Comparison(name, operator, (value,)),
        name,
        st.sampled_from(["=", "!=", "has", "under"]),
        value,
    )
    ordered = st.builds(
        lambda name, operator, value: Comparison(name, operator, (value,)),
        st.sampled_from(["text", "path", "number"]),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.sampled_from([*NUMBERS, "9.5", "40"]),
    )
    several = st.builds(
        lambda name, values: Comparison(name, "in", tuple(values)), name, st.lists(value, min_size=1, max_size=40)
    )
    return one | ordered | several | st.builds(lambda name: Comparison(name, "empty"), name.filter(lambda n: n != "id"))


def conditions() -> st.SearchStrategy[Condition]:
    """Return random conditions, nested a few deep."""
    return st.recursive(
        _comparisons(),
        lambda inner: (
            st.builds(Not, inner)
            | st.builds(AllOf, st.lists(inner, max_size=4).map(tuple))
            | st.builds(AnyOf, st.lists(inner, max_size=4).map(tuple))
        ),
        max_leaves=8,
    )
