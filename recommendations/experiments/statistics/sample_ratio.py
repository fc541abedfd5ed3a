"""The sample-ratio alarm: are visitors split as they should be? If not, nothing else of the experiment can be trusted.

Arms that lose visitors lose certain ones: a slow arm those who do not wait, a broken one those on old phones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from recommendations.experiments.statistics.samples import Values
from tracking.deferred import deferred

if TYPE_CHECKING:
    import scipy.special as special
else:
    special = deferred("scipy.special")

ALARM: Final = 0.001
"""Below this p-value the split is wrong: an alarm stops a decision, so that it must be rare."""
_CONCENTRATION: Final = 1_000.0


def p_value_at_one_look(visitors: Sequence[float] | Values, weights: Sequence[float] | Values) -> float:
    """Return the p-value of Pearson's chi-square test that visitors are split by the weights; 1 without visitors.

    Parameters
    ----------
    visitors : shape (n_arms,)
    weights : shape (n_arms,), above 0

    References
    ----------
    Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.
    """
    counts, shares = _checked(visitors, weights)
    if not counts.sum():
        return 1.0
    expected = shares * counts.sum()
    return float(special.chdtrc(len(counts) - 1, ((counts - expected) ** 2 / expected).sum()))


def p_value_at_any_look(visitors: Sequence[float] | Values, weights: Sequence[float] | Values) -> Values:
    """Return p-values that hold however often one looks.

    Parameters
    ----------
    visitors : shape (…, n_arms)
    weights : shape (n_arms,), above 0

    Returns
    -------
    float64, shape (…,)

    References
    ----------
    Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022: the Bayes factor of a Dirichlet
    around the weights is a martingale, and 1 over it an anytime-valid p-value.
    """
    counts, shares = _checked(visitors, weights)
    prior = shares * _CONCENTRATION
    total = counts.sum(axis=-1)
    evidence = (
        special.gammaln(_CONCENTRATION)
        - special.gammaln(_CONCENTRATION + total)
        + (special.gammaln(prior + counts) - special.gammaln(prior) - counts * np.log(shares)).sum(axis=-1)
    )
    p_value: Values = np.exp(-np.maximum(evidence, 0.0))
    return p_value


def _checked(visitors: Sequence[float] | Values, weights: Sequence[float] | Values) -> tuple[Values, Values]:
    counts, shares = np.asarray(visitors, np.float64), np.asarray(weights, np.float64)
    if shares.ndim != 1 or counts.shape[-1:] != shares.shape or len(shares) < 2 or (shares <= 0).any():
        raise ValueError(
            f"weights={shares.tolist()} do not fit visitors of shape {counts.shape}; give one above 0 for each of at "
            "least two arms"
        )
    return counts, shares / shares.sum()
