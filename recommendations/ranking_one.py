"""The ranker's features for one request: the numbers of ``ranking.ranking_input`` in a quarter of its time.

``ranking_input`` works on (query, item) pairs of thousands of queries, which is what training wants; for one query its
searches and temporary columns cost more than the trees. A test holds the two to the same vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.fusion import FloatArray, IndexArray
from recommendations.ranking import (
    CANDIDATES_PER_SOURCE,
    COLUMNS,
    ITEM_COLUMNS,
    LIST_DEPTH,
    NOT_LISTED_RANK,
    NOT_SEEN_AGE,
    PAIR_COLUMNS,
    SESSION_COLUMNS,
    SMALLEST,
    VECTOR_DECAY,
    RankingTables,
)
from recommendations.ranking_facts import (
    AFFINITY_COLUMNS,
    AFFINITY_DECAY,
    NO_PRICE,
    NO_RATIO,
    SHOPPER_COLUMNS,
    Demand,
    Shoppers,
    demand_columns,
)

LongArray = NDArray[np.int64]
Listing = tuple[LongArray, FloatArray]
"""Item indices, best first, none of them 0 and none twice, and their scores."""

_ROW: Final = {name: row for row, name in enumerate(COLUMNS)}
_SOURCES: Final = tuple(CANDIDATES_PER_SOURCE)
_DEPTHS: Final = np.array(list(CANDIDATES_PER_SOURCE.values()), np.int64)
_RANK_ROWS, _SCORE_ROWS, _SHARE_ROWS, _MASS_ROWS = (
    np.array([_ROW[f"{source}_{value}"] for source in _SOURCES], np.int64)
    for value in ("rank", "score", "share", "mass")
)
_LONGEST: Final = 200
_VECTOR_WEIGHTS: Final = np.power(VECTOR_DECAY, np.arange(_LONGEST - 1, -1, -1), dtype=np.float32)
_AFFINITY_WEIGHTS: Final = np.power(AFFINITY_DECAY, np.arange(_LONGEST - 1, -1, -1), dtype=np.float32)


def _rows_of(names: tuple[str, ...]) -> slice:
    """Return where columns stand that follow each other."""
    first = _ROW[names[0]]
    assert [_ROW[name] for name in names] == list(range(first, first + len(names)))
    return slice(first, first + len(names))


_SESSION_ROWS: Final = _rows_of(SESSION_COLUMNS)
_PAIR_ROWS: Final = _rows_of(PAIR_COLUMNS)
_ITEM_ROWS: Final = _rows_of(ITEM_COLUMNS)
_AFFINITY_ROWS: Final = _rows_of(AFFINITY_COLUMNS)
_SHOPPER_ROWS: Final = _rows_of(SHOPPER_COLUMNS)
_LOG_COUNT, _RELOAD_RATE = ITEM_COLUMNS.index("log_count"), ITEM_COLUMNS.index("reload_rate")
_NOBODY: Final = Shoppers.nobody(1)


def one_ranking_input(
    lists: Mapping[str, Listing],
    prefix: IndexArray,
    tables: RankingTables,
    *,
    shopper: Shoppers | None = None,
    demand: Demand | None = None,
) -> tuple[IndexArray, FloatArray]:
    """Return the candidates of one query, by rising index, and their features.

    Parameters
    ----------
    lists : mapping of source to its listing
        As in ``ranking_input``: sources that the ranker does not know are ignored, missing ones name nothing.
    prefix : int32, shape (n,)
        Item indices, newest last, none of them 0; at least one, at most 200.
    shopper : Shoppers, optional
        Of one.

    Returns
    -------
    items : int32, shape (n_candidates,)
    features : float32, shape (n_candidates, len(COLUMNS))
    """
    found = [(number, lists[name]) for number, name in enumerate(_SOURCES) if name in lists]
    present = [number for number, (items, _) in found if len(items)]
    listed = [(items[:LIST_DEPTH], scores[:LIST_DEPTH]) for _, (items, scores) in found if len(items)]
    lengths = np.array([len(items) for items, _ in listed], np.int64)
    starts = np.cumsum(lengths) - lengths
    items = np.concatenate([prefix, *(items for items, _ in listed)], dtype=np.int64)[len(prefix) :]
    sources = np.repeat(np.array(present, np.int64), lengths)
    ranks = np.arange(1, len(items) + 1) - np.repeat(starts, lengths)

    candidates = np.concatenate([items[ranks <= _DEPTHS[sources]], prefix])
    candidates.sort()
    candidates = candidates[np.concatenate([[True], candidates[1:] != candidates[:-1]])]
    n = len(candidates)
    by_column = np.zeros((len(COLUMNS), n), np.float32)  # a column is contiguous while it is written
    by_column[_RANK_ROWS] = NOT_LISTED_RANK
    if listed:
        scores = np.concatenate([scores for _, scores in listed])
        best = np.repeat(np.maximum(scores[starts], SMALLEST), lengths)
        total = np.repeat(np.maximum(np.add.reduceat(scores, starts), SMALLEST), lengths)
        places = np.minimum(np.searchsorted(candidates, items), n - 1)
        hit = np.flatnonzero(candidates[places] == items)
        places, sources, scores = places[hit], sources[hit], scores[hit]
        flat = by_column.reshape(-1)
        flat[_RANK_ROWS[sources] * n + places] = ranks[hit]
        flat[_SCORE_ROWS[sources] * n + places] = scores
        flat[_SHARE_ROWS[sources] * n + places] = scores / best[hit]
        flat[_MASS_ROWS[sources] * n + places] = scores / total[hit]
        by_column[_ROW["source_count"]] = np.bincount(places, minlength=n)

    _write_session(by_column[_SESSION_ROWS], candidates, prefix)
    _write_pairs(by_column[_PAIR_ROWS], candidates, prefix, tables)
    by_column[_ITEM_ROWS] = tables.item_columns[candidates].T
    by_column[_ROW["newest_log_count"]] = tables.item_columns[prefix[-1], _LOG_COUNT]
    by_column[_ROW["newest_reload_rate"]] = tables.item_columns[prefix[-1], _RELOAD_RATE]
    known = _NOBODY if shopper is None else shopper
    _write_affinity(by_column[_AFFINITY_ROWS], candidates, prefix, tables, known.log_order_value[0])
    by_column[_SHOPPER_ROWS] = known.columns[0][:, None]
    indices = candidates.astype(np.int32)
    for name, values in demand_columns(np.zeros(n, np.int64), indices, demand).items():
        by_column[_ROW[name]] = values
    return indices, np.ascontiguousarray(by_column.T)


def _write_session(columns: FloatArray, candidates: LongArray, prefix: IndexArray) -> None:
    """Fill ``SESSION_COLUMNS``, shape (6, n_candidates)."""
    times, last, first, length, distinct, repeats = columns
    places = np.searchsorted(candidates, prefix)
    ages = np.arange(len(prefix) - 1, -1, -1, dtype=np.float32)
    times += np.bincount(places, minlength=len(candidates))
    last.fill(NOT_SEEN_AGE)
    first.fill(-1.0)
    np.minimum.at(last, places, ages)
    np.maximum.at(first, places, ages)
    length.fill(len(prefix))
    distinct.fill(np.count_nonzero(times))
    repeats.fill(len(prefix) > 1 and prefix[-1] == prefix[-2])


def _write_pairs(columns: FloatArray, candidates: LongArray, prefix: IndexArray, tables: RankingTables) -> None:
    """Fill ``PAIR_COLUMNS``, shape (4, n_candidates)."""
    for column, age in zip(columns, (1, 2), strict=False):
        if len(prefix) > age:
            origin = prefix[-1 - age]
            found = tables.next_indices[origin]
            places = np.minimum(np.searchsorted(candidates, found), len(candidates) - 1)
            hit = np.flatnonzero(candidates[places] == found)
            column[places[hit]] = tables.next_weights[origin][hit]
    vectors = tables.item_vectors
    mean = _VECTOR_WEIGHTS[-len(prefix) :] @ vectors[prefix]
    mean /= max(float(np.sqrt(mean @ mean)), 1e-9)
    np.matmul(np.stack([vectors[prefix[-1]], mean]), vectors[candidates].T, out=columns[2:])


def _write_affinity(
    columns: FloatArray, candidates: LongArray, prefix: IndexArray, tables: RankingTables, log_order_value: np.float32
) -> None:
    """Fill ``AFFINITY_COLUMNS``, shape (6, n_candidates); see ``ranking_facts.affinity_columns``."""
    seen, chosen = tables.item_facts[prefix], tables.item_facts[candidates]
    weights = _AFFINITY_WEIGHTS[-len(prefix) :]
    price = chosen[:, 0]
    columns[0] = price
    priced = weights * (seen[:, 0] > NO_PRICE)
    total = priced.sum()
    level = priced @ seen[:, 0] / total if total > 0 else NO_PRICE
    for column, against in ((columns[1], level), (columns[2], log_order_value)):
        if against > NO_PRICE:
            np.copyto(column, np.where(price > NO_PRICE, price - against, NO_RATIO))
        else:
            column.fill(NO_RATIO)
    codes = seen[:, 1:].T  # (3, n_seen)
    known = np.maximum((codes > 0).astype(np.float32) @ weights, np.float32(1e-9))
    same = (chosen[:, 1:, None] == codes).astype(np.float32) @ weights  # of floats it is one call of BLAS
    columns[3:] = np.where(chosen[:, 1:] > 0, same / known, np.float32(0)).T
