"""What is used most where nobody thinks of sessions: ALS and BM25 item-item of `implicit`; a session is a user.

References
----------
Hu, Koren & Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from implicit.utils import ParameterWarning
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.dataset import SessionLog

THREADS = 2


def als(
    log: SessionLog, histories: SessionHistories, *, factors: int, alpha: float, seed: int = 0, k: int = 20
) -> IndexArray:
    """Return the ``k`` items nearest to each folded-in history, seen ones among them; int32, shape (n, k), 0 pads."""
    with threadpool_limits(1, "blas"):  # BLAS threads fight those of `implicit`
        model = AlternatingLeastSquares(
            factors=min(factors, max(log.n_items - 1, 1)), alpha=alpha, regularization=0.05, iterations=15,
            random_state=seed, num_threads=THREADS, use_gpu=False,
        )  # fmt: skip
        model.fit(_without_padding(log), show_progress=False)
        return _asked(model, log, histories, k=k, recalculate_user=True)


def bm25(
    log: SessionLog, histories: SessionHistories, *, neighbours: int, saturation: float, k: int = 20
) -> IndexArray:
    """Return the ``k`` items nearest to those of each history, seen ones among them; shape as of ``als``.

    Parameters
    ----------
    saturation : float
        K1 of BM25; B is .75.
    """
    model = BM25Recommender(K=neighbours, K1=saturation, B=0.75, num_threads=THREADS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)  # `implicit` passes itself what it then warns of
        model.fit(_without_padding(log), show_progress=False)
    return _asked(model, log, histories, k=k)


def _without_padding(log: SessionLog) -> sparse.csr_matrix:
    return log.matrix()[:, 1:].tocsr()  # a row that is no item would count among BM25's documents


def _asked(model: Any, log: SessionLog, histories: SessionHistories, *, k: int, **options: Any) -> IndexArray:
    seen = sparse.csr_matrix(
        (np.ones(len(histories.items), np.float32), histories.items - 1, histories.offsets),
        shape=(len(histories), log.n_items - 1),
    )
    seen.sum_duplicates()
    ids, scores = model.recommend(
        np.arange(len(histories)), seen, N=min(k, log.n_items - 1), filter_already_liked_items=False, **options
    )
    listed = np.zeros((len(histories), k), np.int32)
    listed[:, : ids.shape[1]] = np.where((ids >= 0) & (scores > 0), ids + 1, 0)
    return listed
