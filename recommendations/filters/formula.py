"""Formulas over figures of items: ``purchases_7d / (views_7d + 20) * margin``; read, priced, and computed in arrays.

Python's own parser reads the text, and nothing but arithmetic is let through: numbers, names of figures,
``+ - * / **``, comparisons (1 or 0), ``and``, ``or``, ``not``, ``a if b else c``, and the functions below. Nothing of
it is executed.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.core.words import first_of, number
from recommendations.core.words import gettext as _

Values = NDArray[np.float64]
Figures = Callable[[str], Values]
"""Returns the values of a figure, one a row of the catalogue; NaN where an item has none."""

MAX_LENGTH: Final = 1_000
MAX_STEPS: Final = 60
PER_ROW: Final = 0.004
"""Microseconds of one core for a step, or a figure, and an item: an upper bound as measured with a million items, where
most steps are .001 to .003; a power that is no square is .014, and costs more than is said."""

_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power,
}  # fmt: skip
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Any]]]] = {
    "log": (1, np.log),
    "sqrt": (1, np.sqrt),
    "abs": (1, np.abs),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "default": (2, lambda value, otherwise: np.where(np.isnan(value), otherwise, value)),
}
"""Functions by name, with how many values each takes; ``default(x, y)`` is y where an item has no x."""


class InvalidFormula(ValueError):
    """A text that is no formula.

    Attributes
    ----------
    position : int
        The character that is wrong, from 1.
    reason : str
        What is wrong with it and what would be right, in the reader's language.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(_("At character %(position)s: %(reason)s") % {"position": number(position), "reason": reason})
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A formula that was read.

    Attributes
    ----------
    names : tuple of str
        Figures that it needs, each once.
    n_steps : int
        Operations on whole columns.
    """

    text: str
    names: tuple[str, ...]
    n_steps: int
    _compute: Callable[[Mapping[str, Values]], Any]

    def price_us(self, n_rows: int) -> float:
        """Return about how many microseconds of a core it takes for so many items."""
        return PER_ROW * n_rows * (self.n_steps + len(self.names))

    def values(self, figures: Figures, *, n_rows: int) -> Values:
        """Return the value of each item; shape (n_rows,). No finite number where a figure is missing, or by 0."""
        with np.errstate(all="ignore"):
            found = self._compute({name: figures(name) for name in self.names})
            return np.broadcast_to(np.asarray(found, np.float64), (n_rows,)).copy()


def parse(text: str, *, known: Collection[str]) -> Formula:
    """Return a formula over figures of these names; ``attributes.<name>`` is a figure, too.

    Raises
    ------
    InvalidFormula
        The text is none; names position and remedy.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidFormula(
            MAX_LENGTH + 1, _("a formula has %(most)s characters at most; shorten it.") % {"most": number(MAX_LENGTH)}
        )
    if not text.strip():
        raise InvalidFormula(1, _("nothing is written; write a figure, such as purchases_7d."))
    source = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    offset = len(source) - len(source.lstrip())
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        position = min((error.offset or 1) + offset, len(text))
        raise InvalidFormula(
            position, _("this is no formula; look for a missing operator or bracket there or shortly before.")
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidFormula(
            1, _("this is nested too deeply, or holds a character that is none; simplify it.")
        ) from error
    reader = _Reader(source.strip(), offset, known)
    compute = reader.read(tree.body)
    if not reader.names:
        raise InvalidFormula(1, _("it names no figure, so that all items are equal; write one, such as purchases_7d."))
    return Formula(text=text, names=tuple(reader.names), n_steps=reader.n_steps, _compute=compute)


class _Reader:
    """Turns the nodes of a tree into functions of columns, and refuses what is no arithmetic."""

    def __init__(self, source: str, offset: int, known: Collection[str]) -> None:
        self.names: dict[str, None] = {}
        self.n_steps = 0
        self._source = source
        self._offset = offset
        self._known = known

    def read(self, node: ast.expr) -> Callable[[Mapping[str, Values]], Any]:
        """Return what computes a node."""
        match node:
            case ast.Constant(value=value):
                constant = self._number(node, value)
                return lambda columns: constant
            case ast.Name() | ast.Attribute():
                name = self._name(node)
                return lambda columns: columns[name]
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
                return self._step(node, _unary(node.op), [operand])
            case ast.BinOp(left=left, right=right) if type(node.op) in _ARITHMETIC:
                return self._step(node, _ARITHMETIC[type(node.op)], [left, right])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                compare = _COMPARISONS[type(op)]
                return self._step(node, lambda a, b: np.where(compare(a, b), 1.0, 0.0), [left, right])
            case ast.Compare(ops=[_one, _two, *_more]):
                raise self._wrong(node, _("comparisons in a row are not understood; join two by “and”."))
            case ast.BoolOp(values=values):
                joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
                return self._step(node, lambda *parts: _joined(joined, parts), values)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._step(node, lambda t, a, b: np.where(_truth(t), a, b), [test, body, orelse])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(node, name, args)
        raise self._wrong(
            node,
            _("this is no arithmetic; numbers, figures, + - * / **, comparisons, and %(functions)s are understood.")
            % {"functions": ", ".join(_FUNCTIONS)},
        )

    def _call(self, node: ast.Call, name: str, args: list[ast.expr]) -> Callable[..., Any]:
        if name not in _FUNCTIONS:
            raise self._wrong(
                node,
                _("“%(name)s” is no function; there are %(functions)s.")
                % {"name": name, "functions": ", ".join(_FUNCTIONS)},
            )
        n_values, compute = _FUNCTIONS[name]
        if len(args) != n_values:
            raise self._wrong(
                node,
                _("%(name)s takes %(wanted)s values and has %(given)s.")
                % {"name": name, "wanted": number(n_values), "given": number(len(args))},
            )
        return self._step(node, compute, args)

    def _step(
        self, node: ast.expr, compute: Callable[..., Any], parts: list[ast.expr]
    ) -> Callable[[Mapping[str, Values]], Any]:
        self.n_steps += 1
        if self.n_steps > MAX_STEPS:
            raise self._wrong(
                node, _("a formula has %(most)s operations at most; simplify it.") % {"most": number(MAX_STEPS)}
            )
        read = [self.read(part) for part in parts]
        return lambda columns: compute(*(part(columns) for part in read))

    def _number(self, node: ast.expr, value: object) -> np.float64:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(node, _("this is no number; texts are compared by the placement's condition."))
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise self._wrong(node, _("this number is too large."))
        return np.float64(found)

    def _name(self, node: ast.Name | ast.Attribute) -> str:
        name = ast.unparse(node)
        is_attribute = name.startswith("attributes.") and isinstance(node, ast.Attribute) and name.count(".") == 1
        if name not in self._known and not is_attribute:
            near = difflib.get_close_matches(name, self._known, n=3)
            raise self._wrong(
                node,
                _("“%(name)s” is no figure; there are %(names)s.")
                % {"name": name[:60], "names": ", ".join(near) or first_of(sorted(self._known), most=8)},
            )
        self.names[name] = None
        return name

    def _wrong(self, node: ast.expr, reason: str) -> InvalidFormula:
        before = self._source.encode()[: node.col_offset].decode(errors="ignore")  # ast counts bytes of UTF-8
        return InvalidFormula(len(before) + 1 + self._offset, reason)


def _unary(op: ast.unaryop) -> Callable[[Any], Any]:
    if isinstance(op, ast.Not):
        return lambda value: np.where(_truth(value), 0.0, 1.0)
    return np.negative if isinstance(op, ast.USub) else np.positive


def _truth(value: Any) -> Any:
    """Return where a value is neither 0 nor missing."""
    return np.nan_to_num(value, nan=0.0) != 0.0


def _joined(join: Callable[[Any, Any], Any], parts: tuple[Any, ...]) -> Any:
    found = _truth(parts[0])
    for part in parts[1:]:
        found = join(found, _truth(part))
    return np.where(found, 1.0, 0.0)
