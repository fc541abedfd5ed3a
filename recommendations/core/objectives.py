"""What a list may be ordered for beside the order that was learnt, and how several such aims make one order. Pure.

Three are learnt, each as the chance of a thing: that the item is what the user looks at next, that it is put into the
cart or bought later in the visit, that it is bought later in the visit. Revenue and margin are the last of these times
what the item costs today and what is left of that, so a changed price needs no training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.core.words import Worded, gettext_noop

FloatArray = NDArray[np.float32]

Weights = tuple[tuple[str, float], ...]
"""Objectives with what each weighs beside the others; those that weigh nothing are left out."""


class Objective(Worded):
    """What a placement may weigh; the words are those of its form."""

    CLICK = "click", gettext_noop("Clicks")
    CART = "cart", gettext_noop("Add-to-carts")
    PURCHASE = "purchase", gettext_noop("Purchases")
    REVENUE = "revenue", gettext_noop("Revenue")
    MARGIN = "margin", gettext_noop("Margin")


LEARNT: Final = (Objective.CLICK.value, Objective.CART.value, Objective.PURCHASE.value)
"""The objectives that a version learns; of the others it needs the chance of a purchase."""

NEEDS: Final[Mapping[str, str]] = {
    **{name: name for name in LEARNT},
    Objective.REVENUE.value: Objective.PURCHASE.value,
    Objective.MARGIN.value: Objective.PURCHASE.value,
}
"""The learnt objective that each is computed from."""


MIN_POSITIVES: Final = 200
"""Candidates that were put into the cart, or bought, of which a chance is learnt at least."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From a score to the chance that it stands for: linear between knots, level beyond them.

    Attributes
    ----------
    scores : tuple of float
        Rising.
    chances : tuple of float
        Never falling, from 0 to 1.
    """

    scores: tuple[float, ...]
    chances: tuple[float, ...]

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Return the chance of each score; float32, the same shape."""
        return np.interp(scores, self.scores, self.chances).astype(np.float32)


def log_shares(scores: FloatArray) -> FloatArray:
    """Return the logarithm of each score's share of one query's exponentials; float32, shape (n,).

    A ranker's scores compare within one query only; these compare across queries, in the same order.
    """
    if not len(scores):
        return scores
    above = scores - scores.max()
    shares: FloatArray = (above - np.log(np.exp(above).sum())).astype(np.float32)
    return shares


def values_of(
    objective: str, chances: Mapping[str, FloatArray], *, price: FloatArray, margin: FloatArray
) -> FloatArray | None:
    """Return what each candidate is worth by one objective; None where the version has not learnt what it needs.

    Parameters
    ----------
    chances : mapping of learnt objective to float32, shape (n,)
    price : float32, shape (n,)
        NaN where unknown; such a candidate counts as the mean of the others.
    margin : float32, shape (n,)
        Share of the price; the same.
    """
    chance = chances.get(NEEDS[objective])
    if chance is None or objective in LEARNT:
        return chance
    worth = _filled(price)
    if worth is None or objective == Objective.REVENUE.value:
        return None if worth is None else chance * worth
    share = _filled(margin)
    return None if share is None else chance * worth * share


def mixed(values: Mapping[str, FloatArray], weights: Weights) -> FloatArray | None:
    """Return one score a candidate: Σ over objectives of weight · value / Σ |value|; None where none is known.

    Dividing by the sum over the candidates of one query makes chances and amounts comparable, in any currency: a
    weight is the share of the list's attention that goes by its objective.
    """
    total: FloatArray | None = None
    for name, weight in weights:
        value = values.get(name)
        if value is None or not weight:
            continue
        scale = float(np.abs(value).sum())
        if scale > 0:
            part = value * np.float32(weight / scale)
            total = part if total is None else total + part
    return total


def _filled(values: FloatArray) -> FloatArray | None:
    """Return values with the mean in place of what is unknown; None where all is."""
    known = np.isfinite(values)
    if known.all():
        return values
    if not known.any():
        return None
    return np.where(known, values, values[known].mean()).astype(np.float32)
