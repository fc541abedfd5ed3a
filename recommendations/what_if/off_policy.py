"""What another policy would have brought, estimated from what was shown by known chances. Pure.

Every shown item is logged with its *propensity*, the chance with which it was shown where it was. What it brought is
weighed by how much more, or less, often the other policy would have shown it there. That needs no model of users, and
is right on average as soon as the other policy shows nothing that never had a chance.

References
----------
Swaminathan & Joachims, "The self-normalized estimator for counterfactual learning", NIPS 2015.
Dudík, Langford & Li, "Doubly robust policy evaluation and learning", ICML 2011.
Owen, "Monte Carlo theory, methods and examples", 2013, chapter 9: the variance of a ratio, the effective sample size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import InvalidQuery

Floats = NDArray[np.float64]

Z95: Final = 1.959964
"""Of a normal interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was shown by known chances, and what it brought; all of shape (n,).

    Attributes
    ----------
    reward : float64
        Such as 1 for a click, or what was paid.
    propensity : float64
        The chance, above 0, with which the item was shown there.
    other : float64
        The chance with which the other policy would have shown it there.
    list_of : int64, optional
        The list of each, as a number from 0: slots of one list are seen by one user, so intervals are those of as many
        lists. Without it all are taken to be independent.
    """

    reward: Floats
    propensity: Floats
    other: Floats
    list_of: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name, least in (("propensity", np.nextafter(0, 1)), ("other", 0.0)):
            values = getattr(self, name)
            if values.shape != self.reward.shape:
                raise InvalidQuery(field=name, reason=f"has shape {values.shape}, the rewards {self.reward.shape}")
            if len(values) and not (values.min() >= least and values.max() <= 1.0):
                raise InvalidQuery(field=name, reason="holds what is no chance; log it above 0 and up to 1")

    @property
    def weights(self) -> Floats:
        """How much more often the other policy shows what was shown; float64, shape (n,)."""
        return self.other / self.propensity


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean reward with its 95 % interval.

    Attributes
    ----------
    effective : float
        As many rewards of the other policy itself would say as much, (Σw)² / Σw²; of some tens nothing is to be made.
    """

    value: float
    low: float
    high: float
    effective: float


def ips(shown: Shown) -> Estimate:
    """Return the mean reward by inverse propensities, Σ w·r / n: right on average, and loud where chances are small."""
    return _mean(shown.weights * shown.reward, shown)


def snips(shown: Shown) -> Estimate:
    """Return Σ w·r / Σ w: a little biased, and steadier, as weights that happen to be high are divided out."""
    weights = shown.weights
    total = float(weights.sum())
    if not total:
        return _nothing()
    value = float(weights @ shown.reward) / total
    return _estimate(value, weights * (shown.reward - value) / total, shown)


def doubly_robust(shown: Shown, *, predicted: Floats, expected: Floats) -> Estimate:
    """Return the mean of ``expected + w · (r - predicted)``: right where either the chances or the predictions are.

    Parameters
    ----------
    predicted : float64, shape (n,)
        The reward that a model expects of what was shown.
    expected : float64, shape (n,)
        The reward that it expects of the other policy there: the mean over what that would show.
    """
    for name, values in (("predicted", predicted), ("expected", expected)):
        if values.shape != shown.reward.shape:
            raise InvalidQuery(field=name, reason=f"has shape {values.shape}, the rewards {shown.reward.shape}")
    return _mean(expected + shown.weights * (shown.reward - predicted), shown)


def _mean(terms: Floats, shown: Shown) -> Estimate:
    if not len(terms):
        return _nothing()
    value = float(terms.mean())
    return _estimate(value, (terms - value) / len(terms), shown)


def _estimate(value: float, parts: Floats, shown: Shown) -> Estimate:
    """Return an estimate with the interval of what each slot, or each list, moved it by."""
    if shown.list_of is not None:
        parts = np.asarray(np.bincount(shown.list_of, weights=parts), np.float64)
    error = float(np.sqrt(np.square(parts).sum())) if len(parts) > 1 else np.inf
    squares = float(np.square(shown.weights).sum())
    effective = float(shown.weights.sum()) ** 2 / squares if squares else 0.0
    return Estimate(value=value, low=value - Z95 * error, high=value + Z95 * error, effective=effective)


def _nothing() -> Estimate:
    return Estimate(value=0.0, low=-np.inf, high=np.inf, effective=0.0)
