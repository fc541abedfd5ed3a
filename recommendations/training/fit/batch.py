"""Every source scored for many histories at once: what the graphs compute one by one, in numpy and scipy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, RankedLists
from recommendations.training.data.sparse_rows import neighbour_matrix, top_of_rows
from recommendations.training.fitted import AlsFactors, Neighbours, Popularity, SessionIndex

CHUNK_HISTORIES = 1024  # bounds the working set: 1,024 times a few thousand touched items
MAX_CELLS = 10_000_000  # of histories times items, where a source touches all of them; 16 bytes each


def score_neighbours(table: Neighbours, histories: SessionHistories, *, k: int) -> RankedLists:
    """Score by an item-item table: Σ decay**age · weight over the ``last_n`` newest items of each history."""
    matrix = neighbour_matrix(table)

    def score(chunk: SessionHistories) -> RankedLists:
        return _best_of_rows(recency_matrix(chunk, table.decay, table.last_n, len(table.indices)) @ matrix, k)

    return _in_chunks(score, histories, k)


def score_sessions(index: SessionIndex, histories: SessionHistories, *, k: int) -> RankedLists:
    """Score by VSTAN session neighbours, step by step as ``SessionIndex`` defines it."""
    n_items, n_sessions = len(index.postings), len(index.session_items)
    listed = index.postings[index.postings > 0]
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum((index.postings > 0).sum(1))])
    holders = sparse.csr_matrix((np.ones(len(listed), np.float32), listed, pointers), shape=(n_items, n_sessions))
    filled = index.session_items > 0
    session_rows, columns = np.nonzero(filled)
    session_items = index.session_items[filled]
    starts = np.searchsorted(session_rows, np.arange(n_sessions + 1))

    def score(chunk: SessionHistories) -> RankedLists:
        queries, items, positions = _last_positions(chunk, index.max_history)
        lengths = np.minimum(chunk.lengths, index.max_history)
        weights = np.exp((positions - lengths[queries]) / index.position_decay).astype(np.float32)
        wanted = sparse.csr_matrix((weights, (queries, items)), shape=(len(chunk), n_items))
        similarity = wanted @ holders
        similarity.data *= index.session_weights[similarity.indices]
        best, rows, values = top_of_rows(similarity, index.neighbours, greater_index_wins=True)

        counts = starts[rows + 1] - starts[rows]
        pair = np.repeat(np.arange(len(rows)), counts)
        where = starts[rows][pair] + np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
        their_items, their_columns = session_items[where], columns[where]
        position_of = np.zeros((len(chunk), n_items), np.int16)
        position_of[queries, items] = positions
        shared = position_of[best[pair], their_items]
        first = np.cumsum(counts) - counts
        latest = np.maximum.reduceat(shared, first)
        star = np.maximum.reduceat(np.where(shared > 0, their_columns, -1), first)
        base = values * np.exp((latest - lengths[best]) / index.overlap_decay).astype(np.float32)
        distance = np.abs(their_columns - star[pair])
        gains = base[pair] * np.exp(-distance / index.distance_decay).astype(np.float32)
        gains *= index.item_weights[their_items]
        total = sparse.csr_matrix((gains, (best[pair], their_items)), shape=(len(chunk), n_items))
        return _best_of_rows(total, k)

    return _in_chunks(score, histories, k, size=_chunk_size(n_items))


def score_als(als: AlsFactors, histories: SessionHistories, *, k: int) -> RankedLists:
    """Score by the dot product with the folded-in user, solved exactly; repeated items' weights add up."""
    factors = als.item_factors
    gram = factors.T @ factors + als.regularization * np.eye(factors.shape[1], dtype=np.float32)

    def score(chunk: SessionHistories) -> RankedLists:
        weights = als.alpha * recency_matrix(chunk, als.decay, als.last_n, len(factors))
        users = np.empty((len(chunk), factors.shape[1]), np.float32)
        for row in range(len(chunk)):
            held = slice(weights.indptr[row], weights.indptr[row + 1])
            chosen, extra = factors[weights.indices[held]], weights.data[held]
            normal = gram + chosen.T @ (chosen * extra[:, None])
            users[row] = np.linalg.solve(normal, chosen.T @ (1 + extra))
        return _best_of_dense(users @ factors.T, k)

    with threadpool_limits(1, "blas"):  # many small systems: threads would only wait for each other
        return _in_chunks(score, histories, k, size=_chunk_size(len(factors)))


def score_recents(histories: SessionHistories, *, k: int) -> RankedLists:
    """List the distinct items of each history, newest first; the score is 1 / rank."""
    queries, items, positions = _last_positions(histories, np.iinfo(np.int32).max)
    order = np.lexsort((-positions, queries))
    queries, items = queries[order], items[order]
    ranks = np.arange(len(queries)) - np.searchsorted(queries, np.arange(len(histories)))[queries]
    kept = ranks < k
    lists = RankedLists(items=np.zeros((len(histories), k), np.int32), scores=np.zeros((len(histories), k), np.float32))
    lists.items[queries[kept], ranks[kept]] = items[kept]
    lists.scores[queries[kept], ranks[kept]] = 1 / (ranks[kept] + 1)
    return lists


def score_popularity(popularity: Popularity, histories: SessionHistories, *, k: int) -> RankedLists:
    """List the items most interacted with of late, the same for every history; ties by all-time count."""
    order = np.lexsort((-popularity.all_time, -popularity.recent))
    order = order[popularity.recent[order] > 0][:k].astype(np.int32)
    items, scores = np.zeros((len(histories), k), np.int32), np.zeros((len(histories), k), np.float32)
    items[:, : len(order)] = order
    scores[:, : len(order)] = popularity.recent[order]
    return RankedLists(items=items, scores=scores)


def recency_matrix(histories: SessionHistories, decay: float, last_n: int, n_items: int) -> sparse.csr_matrix:
    """Return decay**age of each history's newest items as a matrix; repeated items add up."""
    ages = histories.ages
    used = ages < last_n
    weights = np.power(np.float32(decay), ages[used], dtype=np.float32)
    return sparse.csr_matrix(
        (weights, (histories.query_of[used], histories.items[used])), shape=(len(histories), n_items)
    )


def _last_positions(
    histories: SessionHistories, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (query, item, position) of each distinct item among the newest; positions from 1, the last wins."""
    used = histories.ages < longest
    queries, items = histories.query_of[used].astype(np.int64), histories.items[used]
    positions = np.minimum(histories.lengths, longest)[queries] - histories.ages[used]
    order = np.lexsort((positions, items, queries))
    queries, items, positions = queries[order], items[order].astype(np.int64), positions[order]
    last = np.ones(len(queries), bool)
    last[:-1] = (queries[1:] != queries[:-1]) | (items[1:] != items[:-1])
    return queries[last], items[last].astype(np.int64), positions[last]


def _chunk_size(n_items: int) -> int:
    return int(np.clip(MAX_CELLS // n_items, 1, CHUNK_HISTORIES))


def _in_chunks(
    score: Callable[[SessionHistories], RankedLists],
    histories: SessionHistories,
    k: int,
    *,
    size: int = CHUNK_HISTORIES,
) -> RankedLists:
    items, scores = np.zeros((len(histories), k), np.int32), np.zeros((len(histories), k), np.float32)
    for rows in chunks_of(len(histories), size):
        part = score(histories.take(rows))
        items[rows], scores[rows] = part.items, part.scores
    return RankedLists(items=items, scores=scores)


def chunks_of(n: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the row numbers 0 … n - 1 in runs of at most ``size``."""
    for start in range(0, n, size):
        yield np.arange(start, min(n, start + size))


def _best_of_rows(matrix: sparse.csr_matrix, k: int) -> RankedLists:
    rows, columns, values = top_of_rows(matrix, k, greater_index_wins=False)
    positions = np.arange(len(rows)) - np.searchsorted(rows, np.arange(matrix.shape[0]))[rows]
    lists = RankedLists(
        items=np.zeros((matrix.shape[0], k), np.int32), scores=np.zeros((matrix.shape[0], k), np.float32)
    )
    lists.items[rows, positions], lists.scores[rows, positions] = columns, values
    return lists


def _best_of_dense(scores: FloatArray, k: int) -> RankedLists:
    n_listed = min(k, scores.shape[1] - 1)
    scores[:, 0] = -np.inf
    found = np.argpartition(-scores, n_listed - 1, axis=1)[:, :n_listed]
    values = np.take_along_axis(scores, found, axis=1)
    order = np.lexsort((found, -values), axis=1)
    lists = RankedLists(items=np.zeros((len(scores), k), np.int32), scores=np.zeros((len(scores), k), np.float32))
    lists.items[:, :n_listed] = np.take_along_axis(found, order, axis=1)
    lists.scores[:, :n_listed] = np.take_along_axis(values, order, axis=1)
    return lists
