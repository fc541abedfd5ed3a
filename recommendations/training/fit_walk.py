"""Random walks over sessions and items: what is two or three steps away is found although nobody went there yet."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recommendations.training.dataset import SessionLog
from recommendations.training.fit_neighbours import LAST_N, fit_covisitation
from recommendations.training.fitted import Neighbours
from recommendations.training.sparse_rows import cut_rows, neighbour_matrix, table_of

WALK_DECAY = 0.6
MAX_CELLS = 1e8  # entries that are kept between steps: 0.8 GB, three times over
BLOCK_ROWS = 4096  # rows whose products of one step are alive at a time


def fit_walk(
    log: SessionLog,
    *,
    name: str = "walk",
    k: int = 200,
    step_weights: tuple[float, ...] = (0.5, 1.0, 0.5),
    order_share: float = 0.5,
    recency_decay: float = 0.8,
    popularity_penalty: float = 0.3,
    width: int = 60,
    decay: float = WALK_DECAY,
) -> Neighbours:
    """Fit Σ over steps of ``step_weights[s] · Pˢ⁺¹``, each column divided by the item's count to a small power.

    P is a mixture of two ways to step from item to item: into a session that holds the item (newer ones more often)
    and on to any of its items, and, with ``order_share``, to what is visited near it, what follows it above all.

    Parameters
    ----------
    width : int
        Entries of a row that are kept between steps; bounds memory at ``n_items · width²`` products a step,
        of which a block of rows is alive at a time.

    References
    ----------
    Cooper, Lee, Radinsky & Soffer, "Random walks in recommender systems: exact computation and simulations",
    WWW 2014. Paudel, Christoffel, Newell & Bernstein, "Updatable, accurate, diverse, and scalable
    recommendations for interactive applications", TiiS 2016.
    """
    step = ((1 - order_share) * _through_sessions(log, recency_decay=recency_decay)).tocsr()
    if order_share:
        step = (step + order_share * neighbour_matrix(fit_covisitation(log, steps=5))).tocsr()
    step = cut_rows(step, width)
    reached, total = step, step_weights[0] * step
    for weight in step_weights[1:]:
        reached = _stepped(reached, step, keep=max(k, min(300, int(MAX_CELLS // log.n_items))))
        total = total + weight * reached
    counts = np.maximum(log.counts(), 1).astype(np.float32)
    total = (total @ sparse.diags_array(counts**-popularity_penalty)).tocsr()
    return table_of(name, total, k=k, decay=decay, last_n=LAST_N)


def _through_sessions(log: SessionLog, *, recency_decay: float) -> sparse.csr_matrix:
    """Return the chance to reach an item from an item by way of one session; rows sum to 1."""
    rows = log.session_of
    held = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, log.items)), shape=(len(log), log.n_items))
    held.data[:] = 1
    ages = np.arange(len(log), 0, -1) / len(log)
    holders = (held.T @ sparse.diags_array(np.exp(-ages / recency_decay).astype(np.float32))).tocsr()
    return (_rows_to_one(holders) @ _rows_to_one(held)).tocsr()


def _stepped(reached: sparse.csr_matrix, step: sparse.csr_matrix, *, keep: int) -> sparse.csr_matrix:
    blocks = [
        cut_rows((reached[start : start + BLOCK_ROWS] @ step).tocsr(), keep)
        for start in range(0, reached.shape[0], BLOCK_ROWS)
    ]
    return sparse.vstack(blocks, format="csr")


def _rows_to_one(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return (sparse.diags_array((1 / np.maximum(sums, 1e-9)).astype(np.float32)) @ matrix).tocsr()
