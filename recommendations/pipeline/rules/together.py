"""What thousands of rules target, asked of some rows at once: one bit a rule, looked up by what a row is.

Asked one by one, 5,000 rules take half a second of CPU a list. But rules look at few things: a brand, a category, an
item id, a price. For each value of such a column there is one line of bits, one bit a rule, that says which rules it
satisfies; for each limit of a number likewise. A row's rules are a few of those lines joined, whatever their number,
and nothing here grows with the catalogue but a code a row of the columns that are compared.

A rule whose condition has another form (``not``, equality of numbers, an attribute of very many values) is not taken
in: ``Together.others`` names it, and it is asked by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.filters.labels import ORDERS
from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, PageValue, as_number
from recommendations.filters.masks import Columns, KeyColumn, NumberColumn, TagColumn, TextColumn
from recommendations.filters.targets import Targets, rows_named

Bits = NDArray[np.uint64]
Rows = NDArray[np.int32]
Numbers = NDArray[np.int64]
FloatArray = NDArray[np.float32]

MAX_LINES_BYTES: Final = 8 * 1024 * 1024
"""For the lines of one column; one with more values is left to be asked rule by rule."""

WORD: Final = 64
_SIDES: Final[dict[str, Any]] = {">": "left", ">=": "right", "<": "right", "<=": "left"}


def bits_of(numbers: Iterable[int], n_words: int) -> Bits:
    """Return one line of bits in which these are set; uint64, shape (n_words,)."""
    line = np.zeros(n_words, np.uint64)
    chosen = np.fromiter(numbers, np.int64)
    np.bitwise_or.at(line, chosen // WORD, _bit(chosen))
    return line


def numbers_of(line: Bits) -> list[int]:
    """Return which bits are set in a line, ascending."""
    found: list[int] = np.flatnonzero(np.unpackbits(line.view(np.uint8), bitorder="little")).tolist()
    return found


def table_of_products(factors: FloatArray) -> FloatArray:
    """Return, for each byte of a line and each value that it may have, the product of the factors of its bits.

    Parameters
    ----------
    factors : float32, shape (n_words · 64,)

    Returns
    -------
    float32, shape (n_words · 8 · 256,)
    """
    eight = factors.reshape(-1, 8)
    table = np.ones((len(eight), 256), np.float32)
    values = np.arange(256)
    with np.errstate(over="ignore", under="ignore"):
        for bit in range(8):
            table[:, (values >> bit & 1).astype(np.bool_)] *= eight[:, bit, None]
    return table.reshape(-1)


def products_of(bits: Bits, products: FloatArray) -> FloatArray:
    """Return for each line the product of the factors of its bits; float32, shape (n,), always finite.

    Of hundreds of boosts a product is endless, and nothing times endless is no number.
    """
    in_bytes = bits.view(np.uint8)
    used = np.flatnonzero(in_bytes.any(axis=0))
    with np.errstate(over="ignore", under="ignore"):
        found: FloatArray = np.multiply.reduce(products.take(in_bytes.take(used, axis=1) + used * 256), axis=1)
    return np.nan_to_num(found, copy=False, nan=1.0)


def _bit(numbers: Numbers) -> Bits:
    return np.uint64(1) << (numbers % WORD).astype(np.uint64)


@dataclass(slots=True)
class _Lines:
    """A column of few values: a code a row, and of each code the rules whose clause it satisfies."""

    codes: NDArray[np.int32]
    lines: Bits


@dataclass(slots=True)
class _Limits:
    """Limits of a number in one direction, ascending; ``lines[n]`` are the rules that a value with n below it meets."""

    values: NDArray[np.floating[Any]]
    limits: NDArray[np.floating[Any]]
    operator: str
    lines: Bits

    def of(self, rows: Rows) -> Bits:
        values = self.values.take(rows)
        positions = self.limits.searchsorted(values, side=_SIDES[self.operator])
        if self.operator in (">", ">="):
            positions[np.isnan(values)] = 0  # NaN is sorted last, and is above no limit
        return self.lines.take(positions, axis=0)


@dataclass(slots=True)
class _Ids:
    """Rows that rules name one by one: ``rules[starts[n] : starts[n + 1]]`` name ``rows[n]``, ascending."""

    rows: Rows
    starts: Numbers
    rules: Numbers

    def add_to(self, found: Bits, rows: Rows) -> None:
        at = np.minimum(self.rows.searchsorted(rows), len(self.rows) - 1)
        hit = (self.rows.take(at) == rows).nonzero()[0]
        at = at.take(hit)
        first = self.starts.take(at)
        lengths = self.starts.take(at + 1) - first
        within = np.arange(lengths.sum()) - (lengths.cumsum() - lengths).repeat(lengths)
        rules = self.rules.take(first.repeat(lengths) + within)
        # Of a flat array one index is enough, and NumPy is ten times as fast with one.
        np.bitwise_or.at(found.reshape(-1), hit.repeat(lengths) * found.shape[1] + rules // WORD, _bit(rules))


@dataclass(slots=True)
class _Slot:
    """One clause of each rule: a value of any of its columns is enough. ``rest`` are the rules that have none."""

    rest: Bits
    columns: list[_Lines] = field(default_factory=list)
    ids: _Ids | None = None

    def of(self, rows: Rows) -> Bits:
        found = np.broadcast_to(self.rest, (len(rows), len(self.rest))).copy()
        for column in self.columns:
            found |= column.lines.take(column.codes.take(rows), axis=0)
        if self.ids is not None:
            self.ids.add_to(found, rows)
        return found


@dataclass(slots=True)
class _Parts:
    """A condition taken apart: every limit, and of every clause some comparison, has to hold."""

    clauses: list[tuple[Comparison, ...]] = field(default_factory=list)
    limits: dict[tuple[str, str], float] = field(default_factory=dict)


class Together:
    """Conditions over one catalogue, numbered as they were given.

    Parameters
    ----------
    conditions : sequence of Condition
    columns : Columns
    leaves_out : frozenset of str
        Attributes whose values change while the catalogue stays the same.

    Attributes
    ----------
    n_words : int
        Words of a line of bits.
    others : frozenset of int
        The conditions that are not taken in; no row has their bits.
    """

    def __init__(self, conditions: Sequence[Condition], columns: Columns, *, leaves_out: frozenset[str]) -> None:
        self.n_words = max(-(-len(conditions) // WORD), 1)
        self._columns = columns
        self._leaves_out = leaves_out
        self._coded: dict[str, tuple[NDArray[np.int32], Rows] | None] = {}
        self._matching: dict[Comparison, Numbers] = {}
        found = {number: self._parts_of(condition) for number, condition in enumerate(conditions)}
        taken = {number: parts for number, parts in found.items() if parts is not None}
        self.others = frozenset(found.keys() - taken.keys())
        self._everything = bits_of(taken, self.n_words)
        n_slots = max((len(parts.clauses) for parts in taken.values()), default=0)
        self._slots = [self._slot(clause, taken) for clause in range(n_slots)]
        self._limits = self._limits_of(taken)
        del self._columns, self._coded, self._matching  # a catalogue is not kept for what was made of it

    def of(self, rows: Rows) -> Bits:
        """Return the conditions that each row matches, one bit each; uint64, shape (n, n_words)."""
        found: Bits = np.broadcast_to(self._everything, (len(rows), self.n_words))
        for slot in self._slots:
            found = found & slot.of(rows)
        for limit in self._limits:
            found = found & limit.of(rows)
        return found

    def _parts_of(self, condition: Condition) -> _Parts | None:
        """Return a condition taken apart, None where it is of another form."""
        parts = _Parts()
        for each in _all_of(condition):
            if isinstance(each, Comparison) and each.operator in ORDERS and self._is_number(each.name):
                key = each.name, each.operator
                limit = as_number(each.values[0]) if not isinstance(each.values[0], PageValue) else None
                if limit is None or key in parts.limits or each.name in self._leaves_out:
                    return None
                parts.limits[key] = limit
                continue
            clause = each.parts if isinstance(each, AnyOf) else (each,)
            comparisons = tuple(one for one in clause if isinstance(one, Comparison))
            if len(comparisons) < len(clause) or not all(map(self._can_look_up, comparisons)):
                return None
            parts.clauses.append(comparisons)
        return parts

    def _is_number(self, name: str) -> bool:
        return isinstance(self._columns.column(name), NumberColumn)

    def _can_look_up(self, comparison: Comparison) -> bool:
        if comparison.name in self._leaves_out or any(isinstance(value, PageValue) for value in comparison.values):
            return False
        column = self._columns.column(comparison.name)
        if isinstance(column, KeyColumn):
            return comparison.operator in ("=", "in")
        return isinstance(column, TextColumn | TagColumn) and self._codes(comparison.name) is not None

    def _codes(self, name: str) -> tuple[NDArray[np.int32], Rows] | None:
        """Return a code of each row by its value, and a row of each code; None for too many values."""
        if name not in self._coded:
            column = self._columns.column(name)
            assert isinstance(column, TextColumn | TagColumn)
            codes, n_codes = (column.codes, len(column.labels)) if isinstance(column, TextColumn) else _sets(
                column, self._columns.n_rows
            )  # fmt: skip
            examples = np.zeros(n_codes, np.int32)
            examples[codes] = np.arange(len(codes), dtype=np.int32)
            is_small = n_codes * self.n_words * 8 <= MAX_LINES_BYTES
            self._coded[name] = (codes, examples) if is_small else None
        return self._coded[name]

    def _slot(self, clause: int, taken: dict[int, _Parts]) -> _Slot:
        slot = _Slot(rest=bits_of((n for n, parts in taken.items() if len(parts.clauses) <= clause), self.n_words))
        by_column: dict[str, list[tuple[int, Comparison]]] = {}
        for number, parts in taken.items():
            for comparison in parts.clauses[clause] if len(parts.clauses) > clause else ():
                by_column.setdefault(comparison.name, []).append((number, comparison))
        for name, wanted in by_column.items():
            column = self._columns.column(name)
            if isinstance(column, KeyColumn):
                slot.ids = _ids(wanted, column)
                continue
            coded = self._codes(name)
            assert coded is not None
            codes, examples = coded
            lines = np.zeros((len(examples), self.n_words), np.uint64)
            found = [self._codes_matching(comparison, examples) for _, comparison in wanted]
            rules = np.array([number for number, _ in wanted]).repeat([len(each) for each in found])
            np.bitwise_or.at(lines, (np.concatenate(found), rules // WORD), _bit(rules))
            slot.columns.append(_Lines(codes=codes, lines=lines))
        return slot

    def _codes_matching(self, comparison: Comparison, examples: Rows) -> Numbers:
        known = self._matching.get(comparison)
        if known is None:
            known = self._matching[comparison] = Targets(comparison, self._columns).take(examples).nonzero()[0]
        return known

    def _limits_of(self, taken: dict[int, _Parts]) -> list[_Limits]:
        by_key: dict[tuple[str, str], list[tuple[float, int]]] = {}
        for number, parts in taken.items():
            for key, limit in parts.limits.items():
                by_key.setdefault(key, []).append((limit, number))
        return [self._limits_on(name, operator, wanted, taken) for (name, operator), wanted in by_key.items()]

    def _limits_on(
        self, name: str, operator: str, wanted: list[tuple[float, int]], taken: dict[int, _Parts]
    ) -> _Limits:
        column = self._columns.column(name)
        assert isinstance(column, NumberColumn)
        limits, at = np.unique(np.array([limit for limit, _ in wanted], column.values.dtype), return_inverse=True)
        own = np.zeros((len(limits) + 1, self.n_words), np.uint64)
        rules = np.array([number for _, number in wanted])
        if operator in (">", ">="):  # a value with n limits below it meets the first n
            np.bitwise_or.at(own, (at + 1, rules // WORD), _bit(rules))
            lines = np.bitwise_or.accumulate(own, axis=0)
        else:  # and otherwise those from the n-th on
            np.bitwise_or.at(own, (at, rules // WORD), _bit(rules))
            lines = np.bitwise_or.accumulate(own[::-1], axis=0)[::-1]
        lines = lines | bits_of((n for n, parts in taken.items() if (name, operator) not in parts.limits), self.n_words)
        return _Limits(values=column.values, limits=limits, operator=operator, lines=lines)


def _all_of(condition: Condition) -> Iterable[Condition]:
    if not isinstance(condition, AllOf):
        return (condition,)
    return (each for part in condition.parts for each in _all_of(part))


def _sets(column: TagColumn, n_rows: int) -> tuple[NDArray[np.int32], int]:
    """Return a code of each row by the set of its tags, and how many such sets there are."""
    sums = np.zeros(n_rows, np.uint64)
    marks = np.random.default_rng(0).integers(0, 2**64, len(column.rows), np.uint64)
    for mark, rows in zip(marks, column.rows.values(), strict=True):
        sums[rows] += mark  # two sets of the same sum: one in 2**64
    different, codes = np.unique(sums, return_inverse=True)
    return codes.astype(np.int32), len(different)


def _ids(wanted: list[tuple[int, Comparison]], column: KeyColumn) -> _Ids | None:
    found = [rows_named(comparison, column) for _, comparison in wanted]
    rules = np.array([number for number, _ in wanted], np.int64).repeat([len(each) for each in found])
    rows = np.concatenate(found)
    if not len(rows):
        return None
    order = rows.argsort(kind="stable")
    different, starts = np.unique(rows[order], return_index=True)
    return _Ids(rows=different, starts=np.append(starts, len(rows)), rules=rules[order])
