"""Item-item tables: TFIDF and BM25 of `implicit`, co-visitation, next item, baskets, cosine of vectors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from implicit.nearest_neighbours import BM25Recommender, ItemItemRecommender, TFIDFRecommender
from implicit.utils import ParameterWarning
from numpy.typing import NDArray
from scipy import sparse

from recommendations.fusion import FloatArray
from recommendations.training.dataset import Kind, SessionLog
from recommendations.training.fitted import Neighbours
from recommendations.training.sparse_rows import table_of

KIND_WEIGHTS: Mapping[Kind, float] = {Kind.VIEW: 1.0, Kind.CART: 2.0, Kind.PURCHASE: 3.0}
DECAY = 0.7
LAST_N = 10
VECTOR_ROWS = 512  # rows of cosines that are alive at a time


def fit_tfidf(log: SessionLog, *, k: int = 200, num_threads: int = 1) -> Neighbours:
    """Fit TFIDF-weighted cosine of sessions; an item is its own neighbour, since shoppers come back to items."""
    return _fit_implicit("tfidf", TFIDFRecommender(K=k + 1, num_threads=num_threads), log, k)


def fit_bm25(log: SessionLog, *, k: int = 200, num_threads: int = 1) -> Neighbours:
    """Fit BM25-weighted overlap of sessions."""
    return _fit_implicit("bm25", BM25Recommender(K=k + 1, K1=1.2, B=0.75, num_threads=num_threads), log, k)


def fit_covisitation(
    log: SessionLog,
    *,
    k: int = 200,
    steps: int = 10,
    backward: float = 0.5,
    kind_weights: Mapping[Kind, float] = KIND_WEIGHTS,
) -> Neighbours:
    """Count what is visited within ``steps`` positions, each pair by kind weight / distance; rows sum to 1.

    ``backward`` is the weight of what came before the item, relative to what came after it.
    """
    forward = _following(log, steps=steps, kind_weights=kind_weights)
    return _row_normalised("covisitation", forward + backward * forward.T.tocsr(), k=k, decay=DECAY, last_n=LAST_N)


def fit_next(
    log: SessionLog, *, k: int = 100, steps: int = 10, kind_weights: Mapping[Kind, float] = KIND_WEIGHTS
) -> Neighbours:
    """Count what follows an item within ``steps`` positions, by 1 / distance; only the newest item is asked."""
    return _row_normalised("next", _following(log, steps=steps, kind_weights=kind_weights), k=k, decay=1.0, last_n=1)


def fit_baskets(log: SessionLog, *, k: int = 50, min_support: int = 2) -> Neighbours:
    """Fit cosine between items that one session bought or put into the cart; never the item itself."""
    chosen = log.kinds >= Kind.CART
    baskets = _session_matrix(log, chosen)
    together = (baskets.T @ baskets).tocsr()
    counts = together.diagonal()
    together.setdiag(0)
    together.data[together.data < min_support] = 0
    together.eliminate_zeros()
    scale = sparse.diags_array(1 / np.sqrt(np.maximum(counts, 1)))
    return table_of("baskets", (scale @ together @ scale).tocsr(), k=k, decay=DECAY, last_n=LAST_N)


def fit_vector_neighbours(
    name: str,
    vectors: FloatArray,
    *,
    k: int = 100,
    among: int = 50_000,
    decay: float = DECAY,
    last_n: int = LAST_N,
) -> Neighbours:
    """Take the ``k`` nearest items by cosine of unit vectors; rows of zeros have no neighbours.

    Neighbours are sought ``among`` the most popular items, so that time grows with the catalogue and not with its
    square; the vectors of rarer ones are mostly noise.
    """
    n_items = len(vectors)
    sought = vectors[:among]
    k = min(k, len(sought) - 1)
    indices, weights = np.zeros((n_items, k), np.int32), np.zeros((n_items, k), np.float32)
    for start in range(0, n_items, VECTOR_ROWS):
        part = slice(start, start + VECTOR_ROWS)
        cosine = vectors[part] @ sought.T
        cosine[:, 0] = 0
        found = np.argpartition(cosine, len(sought) - k, axis=1)[:, -k:]
        values = np.maximum(np.take_along_axis(cosine, found, axis=1), 0)
        order = np.lexsort((found, -values), axis=1)
        found, values = np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)
        indices[part] = np.where(values > 0, found, 0)
        weights[part] = values
    return Neighbours(name=name, indices=indices, weights=weights, decay=decay, last_n=last_n)


def _fit_implicit(name: str, recommender: ItemItemRecommender, log: SessionLog, k: int) -> Neighbours:
    with warnings.catch_warnings():  # its own weighting returns COO, which its own fit then complains about
        warnings.simplefilter("ignore", ParameterWarning)
        recommender.fit(_session_matrix(log, np.ones(len(log.items), bool)), show_progress=False)
    return table_of(name, recommender.similarity.tocsr(), k=k, decay=DECAY, last_n=LAST_N)


def _session_matrix(log: SessionLog, chosen: NDArray[np.bool_]) -> sparse.csr_matrix:
    """Return 1 where a session holds an item; shape (n_sessions, n_items)."""
    rows, columns = log.session_of[chosen], log.items[chosen]
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(log), log.n_items))
    matrix.data[:] = 1
    return matrix


def _following(log: SessionLog, *, steps: int, kind_weights: Mapping[Kind, float]) -> sparse.csr_matrix:
    """Return Σ of kind weight / distance over pairs (item, later item of the same session)."""
    sessions = log.session_of
    weight_of = np.array([kind_weights[kind] for kind in Kind], np.float32)
    total = sparse.csr_matrix((log.n_items, log.n_items), dtype=np.float32)
    for distance in range(1, steps + 1):
        together = sessions[distance:] == sessions[:-distance]
        if not together.any():
            break
        earlier, later = log.items[:-distance][together], log.items[distance:][together]
        gains = weight_of[log.kinds[distance:][together]] / np.float32(distance)
        total = total + sparse.csr_matrix((gains, (earlier, later)), shape=total.shape)
    return total


def _row_normalised(name: str, matrix: sparse.csr_matrix, *, k: int, decay: float, last_n: int) -> Neighbours:
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scale = sparse.diags_array((1 / np.maximum(sums, 1e-9)).astype(np.float32))
    return table_of(name, (scale @ matrix).tocsr(), k=k, decay=decay, last_n=last_n)
