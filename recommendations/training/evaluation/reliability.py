"""Whether chances are right: what was expected of candidates beside what came of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.rrf import FloatArray
from recommendations.training.fitted import ReliabilityBin

BINS: Final = 12


def reliability(chances: FloatArray, came: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """Return bins of rising chance, each with about as much expected of it as the others; none for no candidate.

    Of a hundred candidates ninety-nine are worth next to nothing. Bins of the same number of candidates would show
    these alone, and bins of the same width would hold a handful each; the same sum of chances a bin is between.
    """
    if not len(chances):
        return ()
    order = np.argsort(chances, kind="stable")
    expected, observed = chances[order].astype(np.float64), came[order].astype(np.float64)
    total = expected.sum()
    share = np.cumsum(expected) / total if total > 0 else np.arange(1, len(order) + 1) / len(order)
    part = np.clip(np.floor(share * BINS - 1e-9), 0, BINS - 1)
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    return tuple(
        ReliabilityBin(candidates=int(n), expected=float(e / n), observed=float(o / n))
        for n, e, o in zip(sizes, np.add.reduceat(expected, starts), np.add.reduceat(observed, starts), strict=True)
    )


def expected_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the expected calibration error: the mean over candidates of |expected - observed| of their bin.

    References
    ----------
    Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    n = sum(each.candidates for each in bins)
    return sum(each.candidates * abs(each.expected - each.observed) for each in bins) / n if n else 0.0
