"""A small, safe language of conditions on items, such as ``price < 50 and category under "Shoes"``.

A condition is parsed once into a tree, and evaluated once a catalogue into one boolean a row (``filter_masks``);
requests then only look rows up. Nothing of it is ever executed as code.

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

Rules may compare with the item of the page: ``brand = page.brand``, ``price <= page.price * 1.2``. Such a comparison is
*relative*: it matches nothing until ``filters.relative`` has put in what the page's item has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from recommendations.exceptions import InvalidQuery

MAX_LENGTH: Final = 2000
MAX_COMPARISONS: Final = 64
MAX_VALUES: Final = 1000
MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class PageValue:
    """What the item of the page has of an attribute, times a factor where it is a number."""

    name: str
    factor: float = 1.0


Value = str | float | bool | PageValue
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "under", "has", "empty"]

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?(?:\d+(?:\.\d+)?|\.\d+))(?![\w.])
    | (?P<symbol><=|>=|!=|==|[<>=(),*])
    | (?P<name>(?:page\.attributes|[A-Za-z_][A-Za-z0-9_]*)(?:\.[A-Za-z0-9_\-]+)?)
    )""",
    re.VERBOSE,
)
_ORDERED: Final = frozenset({"<", "<=", ">", ">="})
PAGE: Final = "page."
_WORDS: Final = frozenset({"and", "or", "not", "in", "under", "has", "is", "empty", "true", "false"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute against one value, or several for ``in``."""

    name: str
    operator: Operator
    values: tuple[Value, ...] = ()
    normal_form: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = ", ".join(sorted({repr(value) for value in self.values}))
        object.__setattr__(self, "normal_form", f"{self.name} {self.operator} {values}")


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match ``part``."""

    part: Condition
    normal_form: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal_form", f"not ({self.part.normal_form})")


@dataclass(frozen=True, slots=True)
class AllOf:
    """What matches every part; without parts, everything."""

    parts: tuple[Condition, ...]
    normal_form: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal_form", _of_parts("all", self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What matches some part; without parts, nothing."""

    parts: tuple[Condition, ...]
    normal_form: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal_form", _of_parts("any", self.parts))


Condition = Comparison | Not | AllOf | AnyOf


def parse(text: str, *, field: str = "filter", allows_page: bool = False) -> Condition:
    """Return the tree of a condition.

    Parameters
    ----------
    allows_page : bool
        Whether it may compare with the item of the page, as rules do.

    Raises
    ------
    InvalidQuery
        It is too long, too deep or not in the language; the reason says where and what was expected.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(field=field, reason=f"has {len(text)} characters; the most is {MAX_LENGTH}")
    return _Parser(text, field, allows_page=allows_page).parse()


def names_of(condition: Condition) -> Iterator[str]:
    """Yield the attribute names that a condition compares."""
    match condition:
        case Comparison(name=name):
            yield name
        case Not(part=part):
            yield from names_of(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for each in parts:
                yield from names_of(each)


def page_names_of(condition: Condition) -> Iterator[str]:
    """Yield the attributes of the page's item that a condition compares with."""
    match condition:
        case Comparison(values=values):
            yield from (value.name for value in values if isinstance(value, PageValue))
        case Not(part=part):
            yield from page_names_of(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for each in parts:
                yield from page_names_of(each)


def normal_form(condition: Condition) -> str:
    """Return a text that conditions share if one is the other with parts or values repeated or in another order.

    Two that share it match the same rows; ``true`` and ``1`` stay two values, as texts of items know them apart. It is
    made once, with the condition: a page of lists asks for it many times.
    """
    return condition.normal_form


def _of_parts(word: str, parts: tuple[Condition, ...]) -> str:
    return f"{word} ({'; '.join(sorted({each.normal_form for each in parts}))})"


def as_number(value: Value) -> float | None:
    """Return the number that a value is or says, None for a text that says none, or a value of a page not known."""
    if isinstance(value, PageValue):
        return None
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return float(value)


def as_text(value: Value) -> str:
    """Return a value as texts of items are compared with it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, PageValue):
        return f"{PAGE}{value.name}" + (f" * {value.factor:g}" if value.factor != 1.0 else "")
    return f"{value:g}" if isinstance(value, float) else value


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, field: str, *, allows_page: bool) -> None:
        self._text = text
        self._allows_page = allows_page
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
            if operator in _ORDERED and as_number(value) is None and not isinstance(value, PageValue):
                raise InvalidQuery(field=self._field, reason=f"compares {name} {operator} {value!r}; give a number")
            return Comparison(name, operator, (value,))
        if self._take("word", "under"):
            path = self._value()
            return Comparison(name, "under", (path if isinstance(path, PageValue) else as_text(path),))
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
        if kind == "name" and value.startswith(PAGE):
            return self._page_value(value)
        raise self._expected('a value: a number, true, false or a text in quotes, as in "Shoes"')

    def _page_value(self, name: str) -> PageValue:
        if not self._allows_page:
            raise InvalidQuery(
                field=self._field, reason=f"compares with {name}, which only rules may; give the value itself"
            )
        self._at += 1
        if not self._take("symbol", "*"):
            return PageValue(name.removeprefix(PAGE))
        kind, factor, _ = self._peek()
        if kind != "number":
            raise self._expected("a number to multiply by, such as 1.2")
        self._at += 1
        return PageValue(name.removeprefix(PAGE), float(factor))

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
