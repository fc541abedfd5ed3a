"""Candidates and features of the ranker; one code path builds training vectors and serving vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.columns import (
    CANDIDATES_PER_SOURCE,
    COLUMNS,
    ITEM_COLUMNS,
    LIST_DEPTH,
    USER_COLUMNS,
)
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.item_features import RecentPopularity, UserOrders, affinity_columns, popularity_columns
from recommendations.ranking.rrf import FloatArray, IndexArray, RankedLists, best_of_each
from recommendations.ranking.session import session_columns

_ROW = {name: row for row, name in enumerate(COLUMNS)}

NOT_LISTED_RANK = 999.0
SMALLEST = np.float32(1e-9)
VECTOR_DECAY = np.float32(0.7)
"""What an item weighs in the session's mean vector, against the one after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingTables:
    """What features need to know of items, by item index; row 0 is no item's.

    Attributes
    ----------
    item_columns : float32, shape (n_items, len(ITEM_COLUMNS))
    item_facts : float32, shape (n_items, len(ITEM_FEATURES))
        ``item_features.ITEM_FEATURES`` of the catalogue as it was when the version was trained; serving replaces
        the prices by today's. The field names a stored file (``ranking_item_facts.npy``), so the name stays.
    item_vectors : float32, shape (n_items, n_dimensions)
        Unit vectors.
    next_indices, next_weights : int32 and float32, shape (n_items, k)
        The ``next`` table of the same model set.
    """

    item_columns: FloatArray
    item_facts: FloatArray
    item_vectors: FloatArray
    next_indices: IndexArray
    next_weights: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingInput:
    """Candidates of n queries with their features, in the order of (query, item).

    Attributes
    ----------
    queries : int64, shape (n_candidates,)
    items : int32, shape (n_candidates,)
    features : float32, shape (n_candidates, len(COLUMNS))
    """

    n_queries: int
    queries: NDArray[np.int64]
    items: IndexArray
    features: FloatArray


def ranking_input(
    sources: Mapping[str, RankedLists],
    histories: SessionHistories,
    tables: RankingTables,
    *,
    users: UserOrders | None = None,
    popularity: RecentPopularity | None = None,
) -> RankingInput:
    """Return the union of the sources' candidates and of the session's items, with their features.

    Parameters
    ----------
    sources : lists of the sources in ``CANDIDATES_PER_SOURCE``
        Others are ignored. One that is missing, because a placement does not ask it, names nothing. A list deeper
        than its source proposes still gives ranks and scores to what other sources named.
    histories : one for each query, none empty
    users : one for each query, optional
        None where nobody's orders are known.
    popularity : optional
        How popular items are just now, by views and purchases; None where nothing counts it.
    """
    keys = [_keys(histories.query_of, histories.items)]
    listed: dict[str, _Listed] = {}
    for name, depth in CANDIDATES_PER_SOURCE.items():
        listed[name] = _listed(sources[name].head(LIST_DEPTH) if name in sources else _nothing(len(histories)))
        keys.append(listed[name].keys[listed[name].ranks <= depth])
    pairs = np.unique(np.concatenate(keys))
    queries, items = pairs >> 32, (pairs & 0xFFFFFFFF).astype(np.int32)

    by_column = np.zeros((len(COLUMNS), len(pairs)), np.float32)  # a column is contiguous while it is written
    for name, found in listed.items():
        where = np.minimum(np.searchsorted(pairs, found.keys), len(pairs) - 1)
        hit = pairs[where] == found.keys
        where = where[hit]
        by_column[_ROW["source_count"], where] += 1
        by_column[_ROW[f"{name}_rank"]] = NOT_LISTED_RANK
        for column, values in found.columns.items():
            by_column[_ROW[f"{name}_{column}"], where] = values[hit]
    newest = histories.items[histories.offsets[1:] - 1]
    columns = session_columns(histories, pairs, queries)
    columns |= _pair_columns(histories, pairs, queries, items, tables)
    columns |= {name: tables.item_columns[items, i] for i, name in enumerate(ITEM_COLUMNS)}
    columns["newest_log_count"] = tables.item_columns[newest, ITEM_COLUMNS.index("log_count")][queries]
    columns["newest_reload_rate"] = tables.item_columns[newest, ITEM_COLUMNS.index("reload_rate")][queries]
    users = UserOrders.nobody(len(histories)) if users is None else users
    columns |= affinity_columns(histories, queries, items, tables.item_facts, users)
    columns |= {name: users.columns[queries, i] for i, name in enumerate(USER_COLUMNS)}
    for name, values in columns.items():
        by_column[_ROW[name]] = values
    for name, found_popularity in popularity_columns(queries, items, popularity).items():
        by_column[_ROW[name]] = found_popularity
    features = np.ascontiguousarray(by_column.T)
    return RankingInput(n_queries=len(histories), queries=queries, items=items, features=features)


def ranked(candidates: RankingInput, scores: FloatArray, *, n: int) -> RankedLists:
    """Return the ``n`` best of each query; ties go to the lower item index."""
    return best_of_each(candidates.queries, candidates.items, scores, n_queries=candidates.n_queries, k=n)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """What one source listed, by (query, item)."""

    keys: NDArray[np.int64]
    ranks: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.generic]]


def _listed(lists: RankedLists) -> _Listed:
    """Flatten lists; share is of the best score, mass of the sum of scores, so that both compare across queries."""
    rows, positions = np.nonzero(lists.items)
    scores = lists.scores[rows, positions]
    share = scores / np.maximum(lists.scores[rows, 0], SMALLEST)
    mass = scores / np.maximum(lists.scores.sum(axis=1), SMALLEST)[rows]
    ranks = positions + 1
    columns = {"rank": ranks, "score": scores, "share": share, "mass": mass}
    return _Listed(keys=_keys(rows, lists.items[rows, positions]), ranks=ranks, columns=columns)


def _nothing(n_queries: int) -> RankedLists:
    return RankedLists(items=np.zeros((n_queries, 1), np.int32), scores=np.zeros((n_queries, 1), np.float32))


def _keys(queries: NDArray[np.int64], items: IndexArray) -> NDArray[np.int64]:
    return (queries << 32) | items


def _pair_columns(
    histories: SessionHistories,
    pairs: NDArray[np.int64],
    queries: NDArray[np.int64],
    items: IndexArray,
    tables: RankingTables,
) -> dict[str, FloatArray]:
    columns = {}
    for name, age in (("next_of_second", 1), ("next_of_third", 2)):
        has = np.flatnonzero(histories.lengths > age)
        origin = histories.items[histories.offsets[1:][has] - 1 - age]
        found = _keys(has[:, None], tables.next_indices[origin]).ravel()
        weights = tables.next_weights[origin].ravel()
        where = np.searchsorted(pairs, found)
        where[where == len(pairs)] = 0
        hit = pairs[where] == found
        values = np.zeros(len(pairs), np.float32)
        values[where[hit]] = weights[hit]
        columns[name] = values
    vectors = tables.item_vectors
    newest = vectors[histories.items[histories.offsets[1:] - 1]]
    weights = np.power(VECTOR_DECAY, histories.ages, dtype=np.float32)
    means = np.add.reduceat(vectors[histories.items] * weights[:, None], histories.offsets[:-1], axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    columns["cosine_to_newest"] = np.empty(len(pairs), np.float32)
    columns["cosine_to_session"] = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), 1 << 16):
        part = slice(start, start + (1 << 16))
        chosen = vectors[items[part]]
        columns["cosine_to_newest"][part] = np.einsum("ij,ij->i", chosen, newest[queries[part]])
        columns["cosine_to_session"][part] = np.einsum("ij,ij->i", chosen, means[queries[part]])
    return columns
