"""What retrieval asks of a model set, and what a source answers; arrays only, no item ids."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import InvalidQuery

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PADDING_INDEX = 0
HIDDEN = np.float32(-1e38)  # as in graphs.builder: hides an item when added to its score, once or twice
IS_HIDDEN = np.float32(-1e30)
MAX_INTERACTIONS = 200
MAX_K = 1_000

_NONE = np.empty(0, np.int64)
_FROM_NEWEST = np.arange(MAX_INTERACTIONS - 1, -1, -1, dtype=np.float32)
_FROM_NEWEST.setflags(write=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalQuery:
    """Ask which items go with these interactions.

    Attributes
    ----------
    indices : int64, shape (L,)
        Newest last; 0 for an item the model does not know: it keeps its position and counts nothing.
    weights : float32, shape (L,), optional
        Weight of each interaction's kind, 0 or more; 1 if left out.
    ages : float32, shape (L,), optional
        Age of each interaction in steps, 0 for the newest; its position from the end if left out.
    exclude : int64, shape (E,)
        Items that must not be in the answer.
    allowed : bool, shape (n_items,), optional
        Only these items. With few of them, name them as ``candidates`` instead: that reads only their rows.
    item_bias : float32, shape (n_items,), optional
        Added to the scores of ``fold_in`` sources; ``HIDDEN`` (or anything below -1e30) hides an item in
        every source. Shared between requests and never changed in place: assign a new array instead.
    candidates : int64, shape (C,), optional
        Score these and nothing else.
    k : int
        Most items a source may give.
    sources : tuple of str, optional
        Ask only these sources.
    """

    indices: IndexArray
    weights: FloatArray | None = None
    ages: FloatArray | None = None
    exclude: IndexArray = field(default_factory=lambda: _NONE)
    allowed: BoolArray | None = None
    item_bias: FloatArray | None = None
    candidates: IndexArray | None = None
    k: int = 100
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceResult:
    """The items of one source, best first; fewer than k where it knows no more.

    Attributes
    ----------
    indices : int64, shape (≤ k,)
        No item twice, none excluded or hidden, never the padding item.
    score : float32, shape (≤ k,)
        Comparable within one source and one version only.
    """

    indices: IndexArray
    score: FloatArray


EMPTY_RESULT = SourceResult(indices=_NONE, score=np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The interactions of a query as graphs take them: newest last, weight 0 where nothing counts."""

    indices: IndexArray
    weight: FloatArray
    age: FloatArray
    from_newest: FloatArray  # 0 for the newest, whatever its age
    is_last: FloatArray

    def newest(self, last_n: int) -> History:
        """Return the newest ``last_n`` (views, no copies)."""
        if len(self.indices) <= last_n:
            return self
        return History(
            indices=self.indices[-last_n:],
            weight=self.weight[-last_n:],
            age=self.age[-last_n:],
            from_newest=self.from_newest[-last_n:],
            is_last=self.is_last[-last_n:],
        )


def history_of(query: RetrievalQuery, *, n_items: int) -> History | None:
    """Check a query and lay out its interactions; None where there is nothing to go by.

    Raises
    ------
    InvalidQuery
        Lengths differ, an index is no row of this model set, a weight or k is out of range.
    """
    items = np.asarray(query.indices, np.int64)
    if not 1 <= query.k <= MAX_K:
        raise InvalidQuery(field="k", reason=f"{query.k} is not between 1 and {MAX_K}")
    _check_indices("indices", items, n_items)
    _check_indices("exclude", query.exclude, n_items)
    if query.candidates is not None:
        _check_indices("candidates", query.candidates, n_items)
    weights = None if query.weights is None else _checked("weight", query.weights, len(items))
    ages = None if query.ages is None else _checked("age", query.ages, len(items))
    items = items[-MAX_INTERACTIONS:]
    from_newest = _FROM_NEWEST[MAX_INTERACTIONS - len(items) :]
    age = from_newest if ages is None else ages
    weight = (items != PADDING_INDEX).astype(np.float32)
    if weights is not None:
        weight *= weights
    if not weight.any():
        return None
    return History(indices=items, weight=weight, age=age, from_newest=from_newest, is_last=_is_last(items, weight))


def _checked(what: str, values: FloatArray, n: int) -> FloatArray:
    """Return the newest of some values, one an interaction; each must be a number from 0 to a million."""
    checked = np.asarray(values, np.float32)
    if len(checked) != n:
        raise InvalidQuery(field=f"{what}s", reason=f"{len(checked)} {what}s for {n} interactions")
    checked = checked[-MAX_INTERACTIONS:]
    # NaN fails every comparison, so it is caught here as well.
    if not (np.all(checked >= 0) and np.all(checked < 1e6)):
        article = "an" if what == "age" else "a"
        raise InvalidQuery(field=f"{what}s", reason=f"{article} {what} is not a number from 0 to 1,000,000")
    return checked


def _is_last(items: IndexArray, weight: FloatArray) -> FloatArray:
    """Return 1 at the last occurrence of each item that counts, else 0."""
    flags = np.zeros(len(items), np.float32)
    seen = {PADDING_INDEX}
    listed, weights = items.tolist(), weight.tolist()
    for position in range(len(listed) - 1, -1, -1):
        if listed[position] not in seen and weights[position] > 0:
            seen.add(listed[position])
            flags[position] = 1.0
    return flags


def _check_indices(name: str, indices: IndexArray, n_items: int) -> None:
    if indices.ndim != 1:
        raise InvalidQuery(field=name, reason=f"has {indices.ndim} dimensions, not 1")
    if len(indices) and not (indices.min() >= 0 and indices.max() < n_items):
        raise InvalidQuery(field=name, reason=f"holds an index outside 0 … {n_items - 1}")
