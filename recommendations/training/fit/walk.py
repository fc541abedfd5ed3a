"""Random walks over sessions and items: what is two or three steps away is found although nobody went there yet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.sparse_rows import (
    cut_rows,
    neighbour_matrix,
    row_blocks,
    rows_to_one,
    table_of_blocks,
)
from recommendations.training.fit.neighbours import LAST_N, fit_covisitation
from recommendations.training.fitted import Neighbours

WALK_DECAY = 0.6
MAX_CELLS = 1e8  # entries that are kept between steps, over all rows
MAX_PRODUCTS = 3e7  # of sessions' items that are alive at a time
BLOCK_ROWS = 2048  # rows whose products of one step are alive at a time


def fit_walk(  # hyperparameters of the method, each with its default
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
    if order_share:
        order = neighbour_matrix(fit_covisitation(log, k=k, steps=5))
    else:
        order = sparse.csr_matrix((log.n_items, log.n_items), dtype=np.float32)
    step = sparse.vstack(
        [
            cut_rows(
                ((1 - order_share) * through + order_share * order[first : first + through.shape[0]]).tocsr(), width
            )
            for first, through in _through_sessions(log, recency_decay=recency_decay)
        ],
        format="csr",
    )
    del order
    penalty = sparse.diags_array(np.maximum(log.counts(), 1).astype(np.float32) ** -popularity_penalty)
    blocks = _walked(step, step_weights, penalty, keep=max(k, min(300, int(MAX_CELLS // log.n_items))))
    return table_of_blocks(name, blocks, n_items=log.n_items, k=k, decay=decay, last_n=LAST_N)


def _through_sessions(log: SessionLog, *, recency_decay: float) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """Yield blocks of the chance to reach an item from an item by way of one session; rows sum to 1."""
    held = log.matrix()
    ages = np.arange(len(log), 0, -1) / len(log)
    holders = held.T.tocsr()
    holders.data *= np.exp(-ages / recency_decay).astype(np.float32)[holders.indices]
    holders, held = rows_to_one(holders), rows_to_one(held)
    mean_length = held.nnz / max(len(log), 1)
    for first, end in row_blocks(np.diff(holders.indptr) * mean_length, MAX_PRODUCTS):
        yield first, (holders[first:end] @ held).tocsr()


def _walked(
    step: sparse.csr_matrix, step_weights: tuple[float, ...], penalty: sparse.dia_array, *, keep: int
) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """Yield blocks of the walk: where each row of items gets to does not depend on the other rows."""
    for first in range(0, step.shape[0], BLOCK_ROWS):
        reached = step[first : first + BLOCK_ROWS]
        total = step_weights[0] * reached
        for weight in step_weights[1:]:
            reached = cut_rows((reached @ step).tocsr(), keep)
            total = total + weight * reached
        yield first, (total @ penalty).tocsr()
