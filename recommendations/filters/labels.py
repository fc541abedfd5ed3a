"""Distinct labels of a column, prepared once, so that a comparison looks them up or passes over each of them once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.filters.language import Comparison, as_number, as_text

Mask = NDArray[np.bool_]

PATH_SIGN: Final = ">"
_BETWEEN_WORDS: Final = re.compile(r"[\s_\-]+")
ORDERS: Final[dict[str, Any]] = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


class Labels:
    """Labels in one case, as numbers, and as paths, each made when a comparison first needs it.

    Parameters
    ----------
    labels : sequence of str
        Distinct; the empty string stands for no value.
    is_path : bool
        Labels are paths from general to special; the last part of one names it, too.
    is_code : bool
        Labels are words of ours, such as ``in_stock``, which people write with blanks, dashes or in one.
    """

    def __init__(self, labels: Sequence[str], *, is_path: bool, is_code: bool = False) -> None:
        self._fold = _code if is_code else str.casefold
        self._folded = [self._fold(label) for label in labels]
        self._is_path = is_path

    def prepare(self) -> None:
        """Make now what the first comparison of each kind would else wait for, but for numbers and paths."""
        _ = self.n_characters, self._has_value, self._positions

    @cached_property
    def n_characters(self) -> int:
        """The length of all labels together, which is what a search in them costs."""
        return sum(map(len, self._folded))

    def matching(self, comparison: Comparison) -> Mask:
        """Return which labels match, one boolean a label; the empty label matches ``empty`` alone."""
        operator = comparison.operator
        if operator == "empty":
            return ~self._has_value
        if operator in ORDERS:
            limit = as_number(comparison.values[0])
            if limit is None:
                return np.zeros(len(self._folded), np.bool_)
            with np.errstate(invalid="ignore"):  # comparisons with NaN are False, which is what we promise
                ordered: Mask = ORDERS[operator](self._numbers, limit)
            return ordered
        wanted = {self._fold(as_text(value)) for value in comparison.values}
        if operator == "under":
            return self._containing(self._paths, _spelled(next(iter(wanted), "")))
        if operator == "has":
            return self._containing(self._folded, next(iter(wanted), ""))
        found = self._named(wanted, also_last_parts=self._is_path and operator != "!=")
        return self._has_value & ~found if operator == "!=" else found

    def _named(self, wanted: Iterable[str], *, also_last_parts: bool) -> Mask:
        found = np.zeros(len(self._folded), np.bool_)
        for each in wanted:
            found[self._positions.get(each, [])] = True
            if also_last_parts:
                found[self._positions_by_last_part.get(each, [])] = True
        return found & self._has_value

    def _containing(self, texts: Sequence[str], part: str) -> Mask:
        return np.fromiter([part in text for text in texts], np.bool_, len(texts)) & self._has_value

    @cached_property
    def _has_value(self) -> Mask:
        return np.fromiter(map(bool, self._folded), np.bool_, len(self._folded))

    @cached_property
    def _positions(self) -> dict[str, list[int]]:
        return _positions(self._folded)

    @cached_property
    def _positions_by_last_part(self) -> dict[str, list[int]]:
        return _positions(label.rsplit(PATH_SIGN, 1)[-1].strip() for label in self._folded)

    @cached_property
    def _paths(self) -> list[str]:
        return [_spelled(label) for label in self._folded]

    @cached_property
    def _numbers(self) -> NDArray[np.float64]:
        numbers = (as_number(label) for label in self._folded)
        return np.fromiter((np.nan if each is None else each for each in numbers), np.float64, len(self._folded))


def _positions(texts: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        found.setdefault(text, []).append(position)
    return found


def _code(label: str) -> str:
    return _BETWEEN_WORDS.sub("", label.casefold())


def _spelled(path: str) -> str:
    """Return a path of which one that lies in a row anywhere within another is a part of its text."""
    return "".join(f"{PATH_SIGN}{part.strip()}" for part in path.split(PATH_SIGN)) + PATH_SIGN
