"""A small, safe language of conditions on items, such as ``price < 50 and category under "Shoes"``.

A condition is parsed once into a tree, and evaluated once a catalogue into one boolean a row; requests then only
look rows up. Nothing of it is ever executed as code.

::

    condition  := all ("or" all)*
    all        := one ("and" one)*
    one        := "not" one | "(" condition ")" | comparison
    comparison := name ("=" | "!=" | "<" | "<=" | ">" | ">=") value
                | name ["not"] "in" "(" value ("," value)* ")"
                | name "under" text | name "has" value | name "is" ["not"] "empty"

Names are those of ``docs/serving.md``; an attribute of the shop's own is ``attributes.<name>``. An item that lacks a
value never matches a comparison of it, whether equal, unequal or less; ``is empty`` finds it. Texts compare without
regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import InvalidQuery

MAX_LENGTH: Final = 2000
MAX_COMPARISONS: Final = 64
MAX_VALUES: Final = 1000
MAX_DEPTH: Final = 16

Mask = NDArray[np.bool_]
Value = str | float | bool
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "under", "has", "empty"]

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?(?:\d+(?:\.\d+)?|\.\d+))(?![\w.])
    | (?P<symbol><=|>=|!=|==|[<>=(),])
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_\-]+)?)
    )""",
    re.VERBOSE,
)
_ORDERED: Final = frozenset({"<", "<=", ">", ">="})
_WORDS: Final = frozenset({"and", "or", "not", "in", "under", "has", "is", "empty", "true", "false"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute against one value, or several for ``in``."""

    name: str
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match ``part``."""

    part: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """What matches every part; without parts, everything."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What matches some part; without parts, nothing."""

    parts: tuple[Condition, ...]


Condition = Comparison | Not | AllOf | AnyOf


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
    """A column whose values are all different, looked up instead of compared; upper and lower case differ.

    Attributes
    ----------
    row_of : callable
        Returns the row of a value, ``None`` when there is none.
    """

    row_of: Callable[[str], int | None]


Column = NumberColumn | TextColumn | TagColumn | KeyColumn


class Columns(Protocol):
    """The attributes of a catalogue, by name."""

    n_rows: int

    def column(self, name: str) -> Column | None:
        """Return the column, or ``None`` when no item has such an attribute."""
        ...


def parse(text: str, *, field: str = "filter") -> Condition:
    """Return the tree of a condition.

    Raises
    ------
    InvalidQuery
        It is too long, too deep or not in the language; the reason says where and what was expected.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(field=field, reason=f"has {len(text)} characters; the most is {MAX_LENGTH}")
    return _Parser(text, field).parse()


def names_of(condition: Condition) -> Iterator[str]:
    """Yield the attribute names that a condition speaks of."""
    match condition:
        case Comparison(name=name):
            yield name
        case Not(part=part):
            yield from names_of(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for each in parts:
                yield from names_of(each)


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
    wanted = [_as_number(value) for value in comparison.values]
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
        rows_of_value = column.rows.get(_as_text(value).casefold())
        if rows_of_value is not None:
            mask[rows_of_value] = True
    return ~mask if comparison.operator == "!=" else mask


def _key_mask(comparison: Comparison, column: KeyColumn, n_rows: int) -> Mask:
    mask = np.zeros(n_rows, np.bool_)
    for value in comparison.values:
        row = column.row_of(_as_text(value))
        if row is not None:
            mask[row] = True
    return ~mask if comparison.operator == "!=" else mask


def _label_test(comparison: Comparison, *, is_path: bool) -> Callable[[str], bool]:
    operator = comparison.operator
    if operator == "empty":
        return lambda label: not label
    wanted = frozenset(_as_text(value).casefold() for value in comparison.values)
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
    limit = _as_number(comparison.values[0])
    if limit is None:
        return lambda label: False
    return lambda label: _ordered(label, operator, limit)


def _ordered(label: str, operator: Operator, limit: float) -> bool:
    number = _as_number(label)
    if number is None:
        return False
    return {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}[operator]


def _path(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(">"))


def _is_under(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Return whether ``parts`` stand in a row anywhere in ``path``: a category may be named without its parents."""
    length = len(parts)
    return any(path[start : start + length] == parts for start in range(len(path) - length + 1))


def _as_number(value: Value) -> float | None:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if np.isfinite(number) else None
    return float(value)


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else value


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, field: str) -> None:
        self._text = text
        self._field = field
        self._tokens = list(self._tokenise())
        self._at = 0
        self._comparisons = 0

    def parse(self) -> Condition:
        condition = self._any_of(0)
        if self._peek()[0] != "end":
            raise self._expected("'and', 'or' or the end")
        return condition

    def _tokenise(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        end = len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                where = at + len(self._text[at:]) - len(self._text[at:].lstrip())
                raise InvalidQuery(
                    field=self._field,
                    reason=f"cannot be read at position {where + 1}: {self._text[where : where + 20]!r}",
                )
            kind, value = match.lastgroup, match[match.lastgroup]
            if kind == "name" and value.lower() in _WORDS:
                kind, value = "word", value.lower()
            yield kind, value, match.start(match.lastgroup)
            at = match.end()
        yield "end", "", len(self._text)

    def _any_of(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise InvalidQuery(field=self._field, reason=f"is nested more than {MAX_DEPTH} deep; flatten it")
        parts = [self._all_of(depth)]
        while self._take("word", "or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._take("word", "and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self, depth: int) -> Condition:
        negations = 0
        while self._take("word", "not"):
            negations += 1
        if self._take("symbol", "("):
            inner = self._any_of(depth + 1)
            self._must("symbol", ")")
        else:
            inner = self._comparison()
        return Not(inner) if negations % 2 else inner

    def _comparison(self) -> Condition:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise InvalidQuery(field=self._field, reason=f"has more than {MAX_COMPARISONS} comparisons")
        kind, name, _ = self._peek()
        if kind != "name":
            raise self._expected("the name of an attribute")
        self._at += 1
        kind, symbol, _ = self._peek()
        if kind == "symbol" and symbol in ("=", "==", "!=", "<", "<=", ">", ">="):
            self._at += 1
            operator: Operator = "=" if symbol == "==" else symbol  # type: ignore[assignment]  # checked above
            value = self._value()
            if operator in _ORDERED and _as_number(value) is None:
                raise InvalidQuery(field=self._field, reason=f"compares {name} {operator} {value!r}; give a number")
            return Comparison(name, operator, (value,))
        if self._take("word", "under"):
            return Comparison(name, "under", (_as_text(self._value()),))
        if self._take("word", "has"):
            return Comparison(name, "has", (self._value(),))
        if self._take("word", "is"):
            is_not = self._take("word", "not")
            self._must("word", "empty")
            empty = Comparison(name, "empty")
            return Not(empty) if is_not else empty
        is_not = self._take("word", "not")
        if not self._take("word", "in"):
            raise self._expected("a comparison such as = or in")
        inside = Comparison(name, "in", self._values())
        return Not(inside) if is_not else inside

    def _values(self) -> tuple[Value, ...]:
        self._must("symbol", "(")
        values = [self._value()]
        while self._take("symbol", ","):
            values.append(self._value())
            if len(values) > MAX_VALUES:
                raise InvalidQuery(field=self._field, reason=f"lists more than {MAX_VALUES} values after 'in'")
        self._must("symbol", ")")
        return tuple(values)

    def _value(self) -> Value:
        kind, value, _ = self._peek()
        if kind == "text":
            self._at += 1
            return re.sub(r"\\(.)", r"\1", value[1:-1])
        if kind == "number":
            self._at += 1
            return float(value)
        if kind == "word" and value in ("true", "false"):
            self._at += 1
            return value == "true"
        raise self._expected('a value: a number, true, false or a text in quotes, as in "Shoes"')

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._at]

    def _take(self, kind: str, value: str) -> bool:
        if self._peek()[:2] != (kind, value):
            return False
        self._at += 1
        return True

    def _must(self, kind: str, value: str) -> None:
        if not self._take(kind, value):
            raise self._expected(repr(value))

    def _expected(self, what: str) -> InvalidQuery:
        kind, value, at = self._peek()
        found = "the end" if kind == "end" else repr(value)
        return InvalidQuery(field=self._field, reason=f"expects {what} at position {at + 1} and finds {found}")
