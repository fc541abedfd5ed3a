"""The session index that VSTAN is answered from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.training.data.dataset import SessionLog
from recommendations.training.fitted import IndexArray, SessionIndex


def fit_sessions(  # hyperparameters of the method, each with its default
    log: SessionLog,
    *,
    postings: int = 500,
    neighbours: int = 200,
    max_length: int = 30,
    max_history: int = 50,
    position_decay: float = 4.8,
    overlap_decay: float = 4.8,
    distance_decay: float = 1.2,
    recency_decay: float = 0.8,
    idf_weight: float = 1.0,
) -> SessionIndex:
    """Index past sessions by item.

    ``recency_decay`` is the age at which a session counts 1/e, as a share of all sessions, so that it needs no
    clock and suits a busy shop and a quiet one.
    """
    items, rows, columns, lengths = _distinct_tail(log, max_length)
    n_sessions = len(log)
    session_items = np.zeros((n_sessions + 1, max_length), np.int32)
    session_items[rows + 1, columns] = items

    ages = np.arange(n_sessions, 0, -1) / n_sessions
    session_weights = np.zeros(n_sessions + 1, np.float32)
    session_weights[1:] = np.exp(-ages / recency_decay) / np.sqrt(np.maximum(lengths, 1))

    counts = log.counts()
    item_weights = 1 + idf_weight * np.log(n_sessions / np.maximum(counts, 1))
    item_weights[0] = 0
    return SessionIndex(
        postings=_postings(items, rows + 1, n_items=log.n_items, keep=postings),
        session_items=session_items,
        session_weights=session_weights,
        item_weights=np.maximum(item_weights, 0).astype(np.float32),
        neighbours=min(neighbours, n_sessions),
        max_history=max_history,
        position_decay=position_decay,
        overlap_decay=overlap_decay,
        distance_decay=distance_decay,
    )


def _distinct_tail(
    log: SessionLog, max_length: int
) -> tuple[IndexArray, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return item, session, column of each distinct item among a session's last, and how many each has."""
    rows = log.session_of.astype(np.int64)
    positions = np.arange(len(rows)) - log.offsets[rows]
    cut = np.maximum(log.lengths - max_length, 0)[rows]
    kept = positions >= cut
    items, rows, columns = log.items[kept], rows[kept], (positions - cut)[kept]
    order = np.lexsort((columns, items, rows))
    items, rows, columns = items[order], rows[order], columns[order]
    last = np.ones(len(rows), bool)
    last[:-1] = (rows[1:] != rows[:-1]) | (items[1:] != items[:-1])
    return items[last], rows[last], columns[last], np.bincount(rows[last], minlength=len(log))


def _postings(items: IndexArray, rows: NDArray[np.int64], *, n_items: int, keep: int) -> IndexArray:
    order = np.lexsort((-rows, items))
    items, rows = items[order], rows[order]
    starts = np.searchsorted(items, np.arange(n_items))
    ranks = np.arange(len(items)) - starts[items]
    newest = ranks < keep
    width = int(ranks[newest].max(initial=0)) + 1
    table = np.zeros((n_items, width), np.int32)
    table[items[newest], ranks[newest]] = rows[newest]
    return table
