"""V-SKNN and VMIS-kNN from their papers' formulas: the lists of nearest past sessions, in numpy and scipy.

Both weigh an item of the running session of n interactions by its last position p (1 … n) with ω(p) = p / n, take the
m newest past sessions that share an item with it, and of these the k with the greatest similarity
r(s) = Σ ω(p) over the shared items, ties by the newer session. An item i scores Σ r(s) · λ(s) · w(i) over those k that
hold it, with λ(s) = max(0, 1 - x / 10), where the newest shared item is x steps back (1 for the last interaction).

- V-SKNN: w(i) = 1 + idf_weight · log(N / n_i); ``idf_weight=0`` is the original form.
- VMIS-kNN: w(i) = log(N / n_i). Its index keeps the m newest sessions of each item; the m newest of all that share an
  item are among these, so that the neighbours are those of V-SKNN with the same m.

N counts past sessions, n_i those that hold item i. What the session has already seen may be listed again: shoppers go
back, and the test points ask for it. (The published VMIS-kNN service leaves the last item out.)

References
----------
Ludewig & Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 28 (2018): V-SKNN.
Ludewig, Mauro, Latifi & Jannach, "Empirical analysis of session-based recommendation algorithms", UMUAI 31 (2021): idf.
Kersbergen, Sprangers & Schelter, "Serenade: low-latency session-based recommendation in e-commerce at scale",
SIGMOD 2022: VMIS-kNN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, IndexArray
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.sparse_rows import top_of_rows
from recommendations.training.fit.batch import chunks_of

MAX_CELLS = 10_000_000  # of histories times items in one chunk; 2 bytes each
MAX_CHUNK = 512
MATCH_STEPS = 10.0  # λ is 0 for sessions whose newest shared item is so many steps back


def vsknn(
    log: SessionLog, histories: SessionHistories, *, neighbours: int, newest: int, idf_weight: float, k: int = 20
) -> IndexArray:
    """Return the ``k`` items that V-SKNN lists for each history; int32, shape (n, k), 0 pads.

    Parameters
    ----------
    neighbours, newest : int
        k and m of the formulas.
    """
    weights = 1 + idf_weight * _idf(log)
    return _listed(log, histories, weights.astype(np.float32), neighbours=neighbours, newest=newest, k=k)


def vmisknn(log: SessionLog, histories: SessionHistories, *, neighbours: int, newest: int, k: int = 20) -> IndexArray:
    """Return the ``k`` items that VMIS-kNN lists for each history; parameters and shape as of ``vsknn``."""
    return _listed(log, histories, _idf(log).astype(np.float32), neighbours=neighbours, newest=newest, k=k)


def _idf(log: SessionLog) -> NDArray[np.float64]:
    holders = np.bincount(log.matrix().indices, minlength=log.n_items)
    return np.log(len(log) / np.maximum(holders, 1))


def _listed(
    log: SessionLog, histories: SessionHistories, item_weights: FloatArray, *, neighbours: int, newest: int, k: int
) -> IndexArray:
    sessions = log.matrix()  # row s is session s; a greater row is newer
    holders = _newest_holders(sessions, newest)
    listed = np.zeros((len(histories), k), np.int32)
    size = int(np.clip(MAX_CELLS // log.n_items, 1, MAX_CHUNK))
    for rows in chunks_of(len(histories), size):
        chunk = histories.take(rows)
        queries, items, positions = last_positions(chunk)
        lengths = chunk.lengths
        weights = (positions / lengths[queries]).astype(np.float32)
        wanted = sparse.csr_matrix((weights, (queries, items)), shape=(len(chunk), log.n_items))
        near = _newest_of_rows((wanted @ holders).tocsr(), newest)
        query_of, session_of, similarity = top_of_rows(near, neighbours, greater_index_wins=True)

        counts = np.diff(sessions.indptr)[session_of]
        pair = np.repeat(np.arange(len(session_of)), counts)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
        theirs = sessions.indices[sessions.indptr[session_of][pair] + within]
        position_of = np.zeros((len(chunk), log.n_items), np.int16)
        position_of[queries, items] = np.minimum(positions, np.iinfo(np.int16).max)
        latest = np.zeros(len(session_of), np.int64)
        np.maximum.at(latest, pair, position_of[query_of[pair], theirs])
        steps_back = lengths[query_of] - latest + 1
        match = similarity * np.maximum(0, 1 - steps_back / MATCH_STEPS)
        gains = (match[pair] * item_weights[theirs]).astype(np.float32)
        scores = sparse.csr_matrix((gains, (query_of[pair], theirs)), shape=(len(chunk), log.n_items))
        scores.sum_duplicates()
        found, chosen, values = top_of_rows(scores, k, greater_index_wins=False)
        ranks = np.arange(len(found)) - np.searchsorted(found, np.arange(len(chunk)))[found]
        kept = values > 0
        listed[rows[found[kept]], ranks[kept]] = chosen[kept]
    return listed


def last_positions(
    histories: SessionHistories,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (query, item, position) of each distinct item of each history; positions from 1, the last one counts."""
    queries, items = histories.query_of, histories.items.astype(np.int64)
    positions = histories.lengths[queries] - histories.ages
    order = np.lexsort((positions, items, queries))
    queries, items, positions = queries[order], items[order], positions[order]
    is_last = np.ones(len(queries), bool)
    is_last[:-1] = (queries[1:] != queries[:-1]) | (items[1:] != items[:-1])
    return queries[is_last], items[is_last], positions[is_last]


def _newest_holders(sessions: sparse.csr_matrix, newest: int) -> sparse.csr_matrix:
    """Return items by sessions, the ``newest`` sessions of each item alone."""
    by_item = sessions.T.tocsr()
    by_item.sort_indices()
    return _newest_of_rows(by_item, newest)


def _newest_of_rows(matrix: sparse.csr_matrix, newest: int) -> sparse.csr_matrix:
    """Return the matrix with the entries of the ``newest`` greatest columns of each row."""
    matrix.sort_indices()
    left = np.repeat(matrix.indptr[1:], np.diff(matrix.indptr)) - np.arange(matrix.nnz)
    kept = left <= newest
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[matrix.indptr]
    return sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], pointers), shape=matrix.shape)
