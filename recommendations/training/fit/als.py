"""ALS factors by `implicit`, and unit vectors made from them."""

from __future__ import annotations

import numpy as np
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recommendations.ranking.rrf import FloatArray
from recommendations.training.data.dataset import SessionLog
from recommendations.training.fitted import AlsFactors


def fit_als(
    log: SessionLog,
    *,
    factors: int = 128,
    regularization: float = 0.05,
    alpha: float = 40.0,
    iterations: int = 10,
    seed: int = 0,
    num_threads: int = 1,
) -> AlsFactors:
    """Factorise the matrix of sessions and items; a session stands for a user, as it will in the fold-in."""
    with threadpool_limits(1, "blas"):  # BLAS threads fight those of `implicit`
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            random_state=seed,
            num_threads=num_threads,
            use_gpu=False,
        )
        model.fit(log.matrix(), show_progress=False)
    item_factors = np.asarray(model.item_factors, np.float32).copy()
    item_factors[log.counts() == 0] = 0
    return AlsFactors(item_factors=item_factors, regularization=regularization, alpha=alpha)


def unit_vectors(vectors: FloatArray) -> FloatArray:
    """Scale rows to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return scaled
