"""Item-item tables: TFIDF and BM25 of `implicit`, co-visitation, next item, baskets, cosine of vectors."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, TFIDFRecommender
from implicit.utils import ParameterWarning
from numpy.typing import NDArray
from scipy import sparse

from recommendations.ranking.rrf import FloatArray, IndexArray
from recommendations.training.data.dataset import Kind, SessionLog
from recommendations.training.data.sparse_rows import row_blocks, rows_to_one, table_of, table_of_blocks
from recommendations.training.fitted import Neighbours

KIND_WEIGHTS: Mapping[Kind, float] = {Kind.VIEW: 1.0, Kind.CART: 2.0, Kind.PURCHASE: 3.0}
DECAY = 0.7
LAST_N = 10
VECTOR_ROWS = 512  # rows of cosines that are alive at a time
VECTOR_PAIRS = 2e10  # cosines that are computed at most, from 400,000 items on
MAX_PAIRS = 3e7  # pairs of items that are counted at a time: some 1 GB


def fit_tfidf(log: SessionLog, *, k: int = 200, num_threads: int = 1) -> Neighbours:
    """Fit TFIDF-weighted cosine of sessions; an item is its own neighbour, since users come back to items."""
    return _fit_implicit("tfidf", TFIDFRecommender(K=k + 1, num_threads=num_threads), log, k)


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
    blocks = _following(log, steps=steps, kind_weights=kind_weights, backward=backward)
    return _row_normalised("covisitation", blocks, log, k=k, decay=DECAY, last_n=LAST_N)


def fit_next(
    log: SessionLog, *, k: int = 100, steps: int = 10, kind_weights: Mapping[Kind, float] = KIND_WEIGHTS
) -> Neighbours:
    """Count what follows an item within ``steps`` positions, by 1 / distance; only the newest item is asked."""
    blocks = _following(log, steps=steps, kind_weights=kind_weights)
    return _row_normalised("next", blocks, log, k=k, decay=1.0, last_n=1)


def fit_baskets(log: SessionLog, *, k: int = 50, min_support: int = 2) -> Neighbours:
    """Fit cosine between items that one session bought or put into the cart; never the item itself."""
    baskets = log.matrix(log.kinds >= Kind.CART)
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
    among: int | None = None,
    decay: float = DECAY,
    last_n: int = LAST_N,
) -> Neighbours:
    """Take the ``k`` nearest items by cosine of unit vectors; rows of zeros have no neighbours.

    Neighbours are sought ``among`` the most popular items (50,000; 20,000 of a million), so that time grows with the
    catalogue and not with its square; the vectors of rarer ones are mostly noise.
    """
    n_items = len(vectors)
    among = int(np.clip(VECTOR_PAIRS // n_items, 1_000, 50_000)) if among is None else among
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
        recommender.fit(log.matrix(), show_progress=False)
    return table_of(name, recommender.similarity.tocsr(), k=k, decay=DECAY, last_n=LAST_N)


def _following(
    log: SessionLog, *, steps: int, kind_weights: Mapping[Kind, float], backward: float = 0.0
) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """Yield blocks of Σ of kind weight / distance over pairs (item, later item of the same session).

    ``backward`` is what a pair counts in the other direction. Every block looks at every pair and keeps its own.
    """
    sessions, n_items = log.session_of, log.n_items
    weight_of = np.array([kind_weights[kind] for kind in Kind], np.float32)
    pairs = sum(int(np.maximum(log.lengths - distance, 0).sum()) for distance in range(1, steps + 1))
    cost = pairs * (2 if backward else 1) / max(len(log.items), 1)
    for first, end in row_blocks(log.counts() * cost, MAX_PAIRS):
        ahead = behind = sparse.csr_matrix((end - first, n_items), dtype=np.float32)
        for distance in range(1, steps + 1):
            together = np.flatnonzero(sessions[distance:] == sessions[:-distance]).astype(np.uint32)
            if not len(together):
                break
            earlier, later = log.items[together], log.items[distance:][together]
            kinds = log.kinds[distance:][together]
            del together
            ahead = ahead + _counted(earlier, later, kinds, weight_of / np.float32(distance), first, ahead.shape)
            if backward:
                behind = behind + _counted(later, earlier, kinds, weight_of / np.float32(distance), first, ahead.shape)
        yield first, ahead + backward * behind if backward else ahead


def _counted(
    rows: IndexArray,
    columns: IndexArray,
    kinds: NDArray[np.uint8],
    weight_of: FloatArray,
    first: int,
    shape: tuple[int, int],
) -> sparse.csr_matrix:
    """Count the pairs whose row is among ``shape[0]`` rows from ``first`` on."""
    mine = (rows >= first) & (rows < first + shape[0])
    if not mine.all():
        rows, columns, kinds = rows[mine], columns[mine], kinds[mine]
    return sparse.csr_matrix((weight_of[kinds], (rows - np.int32(first), columns)), shape=shape)


def _row_normalised(
    name: str,
    blocks: Iterable[tuple[int, sparse.csr_matrix]],
    log: SessionLog,
    *,
    k: int,
    decay: float,
    last_n: int,
) -> Neighbours:
    scaled = ((first, rows_to_one(block)) for first, block in blocks)
    return table_of_blocks(name, scaled, n_items=log.n_items, k=k, decay=decay, last_n=last_n)
