"""How much each label counts: by the margin of its item, and by the chance that its position was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.rrf import FloatArray, IndexArray
from recommendations.training.data.split import TestPoints
from recommendations.training.settings import TrainingSettings

MAX_POSITIONS = 50
"""Places beyond are taken as the last of these."""

ROUNDS = 50
MARGIN_RANGE = (0.1, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impressions:
    """How often each item was shown and clicked at each position of lists; one row a pair of item and position.

    Attributes
    ----------
    items : int32, shape (n,)
        Numbers of any vocabulary.
    positions : int16, shape (n,)
        0-based slots.
    shown, clicked : int64, shape (n,)
    """

    items: IndexArray
    positions: NDArray[np.int16]
    shown: NDArray[np.int64]
    clicked: NDArray[np.int64]


def examination(impressions: Impressions) -> FloatArray:
    """Return the chance that each position is looked at, relative to the first; float32, shape (MAX_POSITIONS,).

    The position-based model: clicks = shown · examination(position) · attraction(item), fitted by turns as the
    maximum-likelihood estimate of a Poisson count. It can tell the two apart because items are shown at more than one
    position; a position that shares no item with others keeps what the turn before gave it.

    References
    ----------
    Craswell, Zoeter, Taylor & Ramsey, "An experimental comparison of click position-bias models", WSDM 2008.
    """
    positions = np.minimum(impressions.positions, MAX_POSITIONS - 1)
    _, items = np.unique(impressions.items, return_inverse=True)
    n_items = int(items.max(initial=-1)) + 1
    looked = np.ones(MAX_POSITIONS)
    clicks_at = np.bincount(positions, weights=impressions.clicked, minlength=MAX_POSITIONS)
    clicks_on = np.bincount(items, weights=impressions.clicked, minlength=n_items)
    for _ in range(ROUNDS):
        expected_on = np.bincount(items, weights=impressions.shown * looked[positions], minlength=n_items)
        attraction = clicks_on / np.maximum(expected_on, 1e-9)
        expected_at = np.bincount(positions, weights=impressions.shown * attraction[items], minlength=MAX_POSITIONS)
        looked = np.where(expected_at > 0, (clicks_at + 1) / (expected_at + 1), looked)  # one click before the first
        looked /= looked[0]
    chances: FloatArray = np.clip(looked, 1e-6, None).astype(np.float32)
    return chances


def label_weights(
    points: TestPoints,
    *,
    settings: TrainingSettings,
    profits: FloatArray | None = None,
    looked: FloatArray | None = None,
) -> FloatArray | None:
    """Return how much each point counts; float32, shape (n_points,), mean 1. None where all count alike.

    Parameters
    ----------
    profits : float32, shape (n_items,), optional
        The margin of each item; NaN where unknown.
    looked : float32, shape (MAX_POSITIONS,), optional
        As ``examination`` returns it. A label that no list led to counts as if it had stood in the first position.

    References
    ----------
    Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased feedback", WSDM 2017.
    """
    weights = np.ones(len(points))
    if settings.margin_weight and profits is not None and len(points):
        margins = profits[points.targets]
        mean = float(np.nanmean(margins)) if np.isfinite(margins).any() else 0.0
        if mean > 0:
            share = np.clip(np.where(np.isfinite(margins), margins / mean, 1.0), *MARGIN_RANGE)
            weights *= 1 - settings.margin_weight + settings.margin_weight * share
    if settings.position_clip and looked is not None and points.positions is not None:
        positions = np.clip(points.positions, 0, MAX_POSITIONS - 1)
        weights *= np.clip(1 / looked[positions], None, settings.position_clip)
    if not len(points) or np.ptp(weights) == 0:
        return None
    relative: FloatArray = (weights / weights.mean()).astype(np.float32)
    return relative


def parameters_of(looked: FloatArray | None) -> Mapping[str, float]:
    """Return what the manifest says of the correction: the chance to look at each of the first ten positions."""
    return {} if looked is None else {f"place_{position}": float(looked[position]) for position in range(10)}
