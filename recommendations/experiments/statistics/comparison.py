"""Two samples compared: the difference and its interval, at one look or at as many as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recommendations.experiments.statistics.samples import Flags, Sample, Values
from tracking.deferred import deferred

if TYPE_CHECKING:
    import scipy.special as special
else:
    special = deferred("scipy.special")

TUNED_FOR: Final = 5_000.0
"""Visitors of both arms at which anytime-valid intervals are narrowest: about where shops begin to decide."""

KNOWN_ENOUGH: Final = 25.0
"""An arm's mean is known well enough once its squared standard error is this part of its square: that takes so many
buyers, and twice as many for amounts that spread as orders do. Before, a normal distribution says little of a sum of a
few orders: of 1,000 runs without an effect, a fifth had a false alarm (``benchmarks/experiments``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a treated arm brings against the control.

    Attributes
    ----------
    difference : float64
        Of the means; relative ones are shares of the control's, so that 0.1 is ten per cent more.
    variance : float64
        Of the difference.
    lower, upper : float64
        The interval; infinite where too little is known.
    p_value : float64
        1 where too little is known.
    """

    difference: Values
    variance: Values
    lower: Values
    upper: Values
    p_value: Values


def at_one_look(control: Sample, treated: Sample, *, alpha: float = 0.05, relative: bool = True) -> Comparison:
    """Compare once, at a time that was fixed before: Welch's t-test.

    Looked at daily until something shows, it finds differences where there are none: see ``at_any_look``.

    References
    ----------
    Welch, "The generalization of Student's problem when several different population variances are involved",
    Biometrika 34, 1947; relative differences by the delta method.
    """
    difference, variance, is_known = _difference(control, treated, relative=relative)
    own = [sample.variance / np.maximum(sample.n, 1.0) for sample in (control, treated)]
    spread = sum(
        part**2 / np.maximum(sample.n - 1.0, 1.0) for part, sample in zip(own, (control, treated), strict=True)
    )
    freedom = np.where(is_known, (own[0] + own[1]) ** 2 / np.where(is_known, spread, 1.0), 1.0)
    error = np.sqrt(variance)
    p_value = 2.0 * special.stdtr(freedom, -np.abs(difference) / np.where(is_known, error, 1.0))
    return _compared(difference, variance, special.stdtrit(freedom, 1.0 - alpha / 2.0) * error, p_value, is_known)


def at_any_look(
    control: Sample, treated: Sample, *, alpha: float = 0.05, relative: bool = True, tuned_for: float = TUNED_FOR
) -> Comparison:
    """Compare at any time and as often as one likes: the interval holds at all looks together.

    It is an asymptotic confidence sequence, that is, for more than a few dozen visitors an arm.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and asymptotic confidence
    sequences", Annals of Statistics 52, 2024 (arXiv 2103.06476, version 7): equation 9 for the interval, 155 for the
    p-value, 161 for the parameter that makes it narrowest at ``tuned_for`` visitors.
    """
    difference, variance, is_known = _difference(control, treated, relative=relative)
    visitors = np.maximum(control.n + treated.n, 1.0)
    information = 1.0 + visitors * tuned(alpha, tuned_for) ** 2
    width = np.sqrt(variance) * boundary(visitors, alpha=alpha, tuned_for=tuned_for)
    squared = difference**2 / np.where(is_known, variance, 1.0)
    with np.errstate(over="ignore"):
        evidence = np.exp(squared * (information - 1.0) / (2.0 * information)) / np.sqrt(information)
    return _compared(difference, variance, width, np.minimum(1.0 / evidence, 1.0), is_known)


def lift(control: Sample, treated: Sample, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR) -> Comparison:
    """Return what the treated arm brings as a share of the control's mean, at any look; what decisions are made by.

    The difference of the means is judged, and then divided by the control's mean as it is measured: a ratio of two
    uncertain means is far from normal where there are few buyers. Until both means are known well enough
    (``KNOWN_ENOUGH``) the interval is infinite and nothing is decided.
    """
    found = at_any_look(control, treated, alpha=alpha, relative=False, tuned_for=tuned_for)
    is_known = is_known_enough(control) & is_known_enough(treated) & np.isfinite(found.lower)
    base = np.where(control.base != 0, np.abs(control.base), 1.0)
    return _compared(
        found.difference / base,
        found.variance / base**2,
        np.where(is_known, found.upper - found.difference, 0.0) / base,
        found.p_value,
        is_known,
    )


def is_known_enough(sample: Sample) -> Flags:
    """Return whether a mean is known so well that a normal distribution describes what is not known of it."""
    known: Flags = (sample.n > 1) & (sample.variance * KNOWN_ENOUGH <= sample.n * sample.base**2) & (sample.base != 0)
    return known


def boundary(visitors: Values, *, alpha: float, tuned_for: float = TUNED_FOR) -> Values:
    """Return how many standard errors wide an anytime-valid interval is to either side, by visitors of both arms."""
    information = 1.0 + visitors * tuned(alpha, tuned_for) ** 2
    width: Values = np.sqrt(2.0 * information * np.log(np.sqrt(information) / alpha) / (information - 1.0))
    return width


def tuned(alpha: float, tuned_for: float) -> float:
    """Return the parameter rho of the sequence that is narrowest at so many visitors."""
    return float(np.sqrt((-2.0 * np.log(alpha) + np.log(1.0 - 2.0 * np.log(alpha))) / tuned_for))


def _difference(control: Sample, treated: Sample, *, relative: bool) -> tuple[Values, Values, Flags]:
    """Return the difference, its variance, and whether enough is known for an interval."""
    is_known = (control.n > 1) & (treated.n > 1) & (control.variance > 0) & (treated.variance > 0)
    n_control, n_treated = np.maximum(control.n, 1.0), np.maximum(treated.n, 1.0)
    difference = treated.mean - control.mean
    if not relative:
        return difference, treated.variance / n_treated + control.variance / n_control, is_known
    is_known = is_known & (control.base != 0)
    base = np.where(is_known, control.base, 1.0)
    variance = treated.variance / (base**2 * n_treated) + control.variance * treated.base**2 / (base**4 * n_control)
    return difference / base, variance, is_known


def _compared(difference: Values, variance: Values, width: Values, p_value: Values, is_known: Flags) -> Comparison:
    return Comparison(
        difference=np.where(is_known, difference, 0.0),
        variance=np.where(is_known, variance, 0.0),
        lower=np.where(is_known, difference - width, -np.inf),
        upper=np.where(is_known, difference + width, np.inf),
        p_value=np.where(is_known, p_value, 1.0),
    )
