"""The ranker's features for one request: the numbers of ``ranking.ranking_input`` in a quarter of its time.

``ranking_input`` works on (query, item) pairs of thousands of queries, which is what training wants; for one query its
searches and temporary columns cost more than the trees. A test holds the two to the same vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.core.row_index import positions_in
from recommendations.ranking.batch import NOT_LISTED_RANK, SMALLEST, VECTOR_DECAY, RankingTables
from recommendations.ranking.columns import (
    AFFINITY_COLUMNS,
    CANDIDATE_COLUMNS,
    CANDIDATES_PER_SOURCE,
    COLUMNS,
    HABIT_COLUMNS,
    ITEM_COLUMNS,
    LIST_DEPTH,
    NEWEST_COLUMNS,
    PAIR_COLUMNS,
    USER_COLUMNS,
)
from recommendations.ranking.item_features import (
    AFFINITY_DECAY,
    NO_PRICE,
    NO_RATIO,
    RecentPopularity,
    UserOrders,
    popularity_columns,
)
from recommendations.ranking.rrf import FloatArray, IndexArray
from recommendations.ranking.session import NOT_SEEN, one_session

LongArray = NDArray[np.int64]
Listing = tuple[LongArray, FloatArray]
"""Item indices, best first, none of them 0 and none twice, and their scores."""

_COLUMN: Final = {name: column for column, name in enumerate(COLUMNS)}
_SOURCES: Final = tuple(CANDIDATES_PER_SOURCE)
_DEPTHS: Final = tuple(CANDIDATES_PER_SOURCE.values())
_LISTED: Final = ("rank", "score", "share", "mass")
_LONGEST: Final = 200
_RANKS: Final = np.arange(1, LIST_DEPTH + 1, dtype=np.float32)
_AGES: Final = np.arange(_LONGEST - 1, -1, -1, dtype=np.float32)
_VECTOR_WEIGHTS: Final = np.power(VECTOR_DECAY, _AGES, dtype=np.float32)
_AFFINITY_WEIGHTS: Final = np.power(AFFINITY_DECAY, _AGES, dtype=np.float32)


def _columns_of(names: tuple[str, ...]) -> slice:
    """Return where columns stand that follow each other."""
    first = _COLUMN[names[0]]
    assert [_COLUMN[name] for name in names] == list(range(first, first + len(names)))
    return slice(first, first + len(names))


_SOURCE_COLUMNS: Final = _columns_of(tuple(f"{source}_{value}" for source in _SOURCES for value in _LISTED))
_CANDIDATE_COLUMNS: Final = _columns_of(CANDIDATE_COLUMNS)
_HABIT_COLUMNS: Final = _columns_of(HABIT_COLUMNS)
_PAIR_COLUMNS: Final = _columns_of(PAIR_COLUMNS)
_ITEM_COLUMNS: Final = _columns_of(ITEM_COLUMNS)
_NEWEST_COLUMNS: Final = _columns_of(NEWEST_COLUMNS)
_AFFINITY_COLUMNS: Final = _columns_of(AFFINITY_COLUMNS)
_USER_COLUMNS: Final = _columns_of(USER_COLUMNS)
_NEWEST_OF: Final = [ITEM_COLUMNS.index(name.removeprefix("newest_")) for name in NEWEST_COLUMNS]
_NOBODY: Final = UserOrders.nobody(1)
_YES: Final = np.ones(1, np.bool_)
_WITHIN: Final = np.arange(len(_LISTED))[:, None]

_UNKNOWN: Final[FloatArray] = np.zeros(len(COLUMNS), np.float32)
"""A candidate that no source lists and no session holds."""
_UNKNOWN[[_COLUMN[f"{source}_rank"] for source in _SOURCES]] = NOT_LISTED_RANK
_UNKNOWN[_CANDIDATE_COLUMNS] = NOT_SEEN


def one_ranking_input(
    lists: Mapping[str, Listing],
    history: IndexArray,
    tables: RankingTables,
    *,
    user: UserOrders | None = None,
    popularity: RecentPopularity | None = None,
) -> tuple[IndexArray, FloatArray]:
    """Return the candidates of one query, by rising index, and their features.

    Parameters
    ----------
    lists : mapping of source to its listing
        As in ``ranking_input``: sources that the ranker does not know are ignored, missing ones name nothing.
    history : int32, shape (n,)
        Item indices, newest last, none of them 0; at least one, at most 200.
    user : UserOrders, optional
        Of one.

    Returns
    -------
    items : int32, shape (n_candidates,)
    features : float32, shape (n_candidates, len(COLUMNS))
    """
    listed = [(number, *lists[name]) for number, name in enumerate(_SOURCES) if name in lists and len(lists[name][0])]
    lines = _lines_of(listed) if listed else None
    candidates = history if lines is None else np.concatenate([history, lines.proposed()], dtype=np.int32)
    candidates = np.sort(candidates)
    candidates = candidates[np.concatenate([_YES, candidates[1:] != candidates[:-1]])]
    known = _NOBODY if user is None else user

    # What is the same for all candidates is written once, and the rest over it.
    habits, seen, of_seen = one_session(history)
    same = _UNKNOWN.copy()
    same[_HABIT_COLUMNS] = habits
    same[_NEWEST_COLUMNS] = tables.item_columns[history[-1], _NEWEST_OF]
    same[_USER_COLUMNS] = known.columns[0]
    features = np.empty((len(candidates), len(COLUMNS)), np.float32)
    features[:] = same

    if lines is not None:
        _write_sources(features, candidates, lines)
    features[positions_in(candidates, seen)[0], _CANDIDATE_COLUMNS] = of_seen
    _write_pairs(features[:, _PAIR_COLUMNS], candidates, history, tables)
    features[:, _ITEM_COLUMNS] = tables.item_columns.take(candidates, axis=0)
    _write_affinity(features[:, _AFFINITY_COLUMNS], candidates, history, tables, known.log_order_value[0])
    for name, values in popularity_columns(candidates, candidates, popularity).items():
        features[:, _COLUMN[name]] = values
    return candidates, features


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the lines of the sources stand when they are joined; the same for all requests of the same lengths.

    Attributes
    ----------
    lists, ranks : int64, float32, shape (n,)
        The list of each line, and its rank in it, from 1.
    first_columns : int64, shape (n,)
        The first column of the line's source.
    proposed : int64, shape (≤ n,)
        The lines whose items become candidates.
    """

    lists: LongArray
    ranks: FloatArray
    starts: LongArray
    first_columns: LongArray
    proposed: LongArray


@lru_cache(maxsize=4_096)
def _layout(numbers: tuple[int, ...], lengths: tuple[int, ...]) -> _Layout:
    lists = np.arange(len(numbers)).repeat(lengths)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    ranks = np.concatenate([_RANKS[:length] for length in lengths])
    return _Layout(
        lists=lists,
        ranks=ranks,
        starts=starts,
        first_columns=(_SOURCE_COLUMNS.start + np.array(numbers) * len(_LISTED)).take(lists),
        proposed=(ranks <= np.array([_DEPTHS[number] for number in numbers]).take(lists)).nonzero()[0],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """What all sources list, one list after the other, as far as it is looked at."""

    items: IndexArray
    scores: FloatArray
    layout: _Layout

    def proposed(self) -> IndexArray:
        """Return the items that become candidates; some more than once."""
        return self.items.take(self.layout.proposed)


def _lines_of(listed: Sequence[tuple[int, LongArray, FloatArray]]) -> _Lines:
    """Join lists; each is given with its source's number, its items and scores."""
    numbers, items, scores = zip(*listed, strict=True)
    return _Lines(
        items=np.concatenate([each[:LIST_DEPTH] for each in items], dtype=np.int32),
        scores=np.concatenate([each[:LIST_DEPTH] for each in scores]),
        layout=_layout(numbers, tuple(min(len(each), LIST_DEPTH) for each in items)),
    )


def _write_sources(features: FloatArray, candidates: IndexArray, lines: _Lines) -> None:
    """Fill the columns of the sources."""
    layout = lines.layout
    # A score is compared with the best of its list and with the sum of its list.
    measures = np.empty((2, len(layout.starts)), np.float32)
    measures[0] = lines.scores.take(layout.starts)
    np.add.reduceat(lines.scores, layout.starts, out=measures[1])
    np.maximum(measures, SMALLEST, out=measures)
    rows, is_candidate = positions_in(candidates, lines.items)
    hit = is_candidate.nonzero()[0]
    rows = rows.take(hit)
    values = np.empty((len(_LISTED), len(hit)), np.float32)
    values[0] = layout.ranks.take(hit)
    values[1] = lines.scores.take(hit)
    np.divide(values[1], measures.take(layout.lists.take(hit), axis=1), out=values[2:])
    # A source's columns follow each other; of a flat array one index is enough.
    first = layout.first_columns.take(hit)
    first += rows * np.int64(features.shape[1])
    features.reshape(-1)[first + _WITHIN] = values
    features[:, _COLUMN["source_count"]] = np.bincount(rows, minlength=len(candidates))


def _write_pairs(columns: FloatArray, candidates: IndexArray, history: IndexArray, tables: RankingTables) -> None:
    """Fill ``PAIR_COLUMNS``, shape (n_candidates, 4)."""
    origins = history[-3:-1][::-1]
    if len(origins):
        found, weights = tables.next_indices.take(origins, axis=0), tables.next_weights.take(origins, axis=0)
        rows, is_candidate = positions_in(candidates, found.reshape(-1))
        hit = is_candidate.nonzero()[0]
        columns[rows.take(hit), hit // found.shape[1]] = weights.reshape(-1).take(hit)
    vectors = tables.item_vectors
    of_session = vectors[history]
    pair = np.empty((2, vectors.shape[1]), np.float32)
    pair[0] = of_session[-1]
    np.matmul(_VECTOR_WEIGHTS[_LONGEST - len(history) :], of_session, out=pair[1])
    pair[1] /= max(float(np.sqrt(pair[1] @ pair[1])), 1e-9)
    columns[:, 2:] = (pair @ vectors.take(candidates, axis=0).T).T


def _write_affinity(
    columns: FloatArray, candidates: IndexArray, history: IndexArray, tables: RankingTables, log_order_value: np.float32
) -> None:
    """Fill ``AFFINITY_COLUMNS``, shape (n_candidates, 6); see ``ranking.item_features.affinity_columns``."""
    seen, chosen = tables.item_facts.take(history, axis=0).T, tables.item_facts.take(candidates, axis=0).T.copy()
    weights = _AFFINITY_WEIGHTS[_LONGEST - len(history) :]
    price = chosen[0]
    columns[:, 0] = price
    priced = weights * (seen[0] > NO_PRICE)
    total = priced.sum()
    level = priced @ seen[0] / total if total > 0 else NO_PRICE
    has_price = price > NO_PRICE
    for column, against in ((1, level), (2, log_order_value)):
        columns[:, column] = np.where(has_price, price - against, NO_RATIO) if against > NO_PRICE else NO_RATIO
    kinds, codes = seen[1:], chosen[1:]  # (3, n_seen) and (3, n_candidates)
    known = np.maximum((kinds > 0).astype(np.float32) @ weights, np.float32(1e-9))
    same = weights @ (kinds[:, :, None] == codes[:, None]).astype(np.float32)
    columns[:, 3:] = (same / known[:, None] * (codes > 0)).T
