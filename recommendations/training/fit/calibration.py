"""From scores to chances: isotonic regression on what came of them, kept as a few knots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.core.objectives import Calibration
from recommendations.ranking.rrf import FloatArray
from tracking.deferred import deferred

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = deferred("scipy.optimize")

MAX_KNOTS: Final = 40
"""As many as a manifest is to hold; between them chances are interpolated."""


def calibrated(scores: FloatArray, came: NDArray[np.bool_]) -> Calibration:
    """Return the never falling function of the score that fits best what came, as at most ``MAX_KNOTS`` knots.

    The least squares fit is a staircase. Each step becomes one knot, at its mean score and its share of what came, so
    that scores within a step keep their order; where there are more steps than knots, neighbours are joined, half
    by what came and half by how far apart scores are.

    Parameters
    ----------
    scores : float32, shape (n,)
        At least one.
    came : bool, shape (n,)

    References
    ----------
    Zadrozny & Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002.
    """
    order = np.argsort(scores, kind="stable")
    rising, found = scores[order].astype(np.float64), came[order].astype(np.float64)
    fit = optimize.isotonic_regression(found)
    starts = np.asarray(fit.blocks[:-1], np.int64)
    sizes = np.diff(np.append(starts, len(rising)))
    hits, sums = np.add.reduceat(found, starts), np.add.reduceat(rising, starts)
    if len(starts) > MAX_KNOTS:
        means = sums / sizes
        share = (np.cumsum(hits) / max(hits.sum(), 1.0) + (means - means[0]) / (means[-1] - means[0])) / 2
        part = np.minimum((share * (MAX_KNOTS - 1)).astype(np.int64), MAX_KNOTS - 1)
        joined = np.flatnonzero(np.diff(part, prepend=-1))
        sizes, hits, sums = (np.add.reduceat(each, joined) for each in (sizes, hits, sums))
    return Calibration(tuple((sums / sizes).tolist()), tuple((hits / sizes).tolist()))
