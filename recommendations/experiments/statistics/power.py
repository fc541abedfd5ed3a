"""How long an experiment has to run: the chance that it finds an effect of a given size, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recommendations.experiments.statistics.comparison import KNOWN_ENOUGH, TUNED_FOR, boundary
from recommendations.experiments.statistics.samples import Values
from tracking.deferred import deferred

if TYPE_CHECKING:
    import scipy.special as special
else:
    special = deferred("scipy.special")

POWER: Final = 0.8
_STEP: Final = 0.05
"""Width of the grid in standard errors of one day; half of it changes the power in the fifth digit."""
_REACH: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is expected of a metric before an experiment begins.

    Attributes
    ----------
    mean, variance : float
        Of a visitor of the control.
    lift : float
        The smallest change worth finding, as a share of the mean: 0.05 is five per cent more.
    treated_variance : float, optional
        Of a visitor of the treated arm; that of the control where none is given.
    """

    mean: float
    variance: float
    lift: float
    treated_variance: float | None = None

    def __post_init__(self) -> None:
        """Refuse what nothing can be planned with."""
        for name, value in (("mean", self.mean), ("variance", self.variance)):
            if not value > 0:
                raise ValueError(f"{name}={value} is not above 0; give what visitors of the placement do today")
        if not self.lift or self.lift <= -1:
            raise ValueError(
                f"lift={self.lift} is 0 or not above -1; give the smallest change worth having, such as 0.05"
            )

    @classmethod
    def of_share(cls, share: float, *, lift: float) -> Plan:
        """Return the plan of what a visitor does or does not, such as buying."""
        changed = share * (1.0 + lift)
        if not 0 < share < 1 or not 0 < changed < 1:
            raise ValueError(f"share={share} and share * (1 + lift)={changed:.4g} are not both between 0 and 1")
        return cls(mean=share, variance=share * (1 - share), lift=lift, treated_variance=changed * (1 - changed))

    def error(self, control: float, treated: float) -> float:
        """Return the standard error of the difference with so many visitors, as a share of the control's mean."""
        other = self.variance if self.treated_variance is None else self.treated_variance
        return float(np.sqrt(other / treated + self.variance / control) / self.mean)

    def begins_at(self, control: float, treated: float) -> float:
        """Return after how many days of so many visitors each the means are known well enough to be compared."""
        other = self.variance if self.treated_variance is None else self.treated_variance
        changed = self.mean * (1.0 + self.lift)
        return KNOWN_ENOUGH * max(self.variance / (self.mean**2 * control), other / (changed**2 * treated))


def visitors_needed(plan: Plan, *, alpha: float = 0.05, power: float = POWER) -> int:
    """Return visitors an arm, of two equal ones, for a comparison at one look.

    ``n = (z(1 - alpha / 2) + z(power))² (sigma_c² + sigma_t²) / delta²``.

    References
    ----------
    Kohavi, Tang & Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 17.
    """
    z = special.ndtri(power) - special.ndtri(alpha / 2.0)
    return int(np.ceil((z * plan.error(1.0, 1.0) / plan.lift) ** 2))


def power_at_one_look(plan: Plan, *, control: float, treated: float, alpha: float = 0.05) -> float:
    """Return the chance that a comparison at one look finds the effect, whichever sign it has."""
    shift = plan.lift / plan.error(control, treated)
    z = -special.ndtri(alpha / 2.0)
    return float(special.ndtr(shift - z) + special.ndtr(-z - shift))


def power_by_day(
    plan: Plan,
    *,
    daily: float,
    days: int,
    weights: tuple[float, float] = (1.0, 1.0),
    alpha: float = 0.05,
    tuned_for: float = TUNED_FOR,
) -> Values:
    """Return the chance that an experiment that is looked at daily has found the effect by each day.

    The estimate moves from day to day by independent normal steps; the chance of being between the bounds at all looks
    so far is carried along on a grid.

    Parameters
    ----------
    daily : float
        New visitors a day of both arms together.
    weights : pair of float
        How they are split between control and treated.

    Returns
    -------
    float64, shape (days,)

    References
    ----------
    Armitage, McPherson & Rowe, "Repeated Significance Tests on Accumulating Data", JRSS A 132, 1969: recursive
    numerical integration.
    """
    control, treated = (daily * weight / sum(weights) for weight in weights)
    drift = plan.lift / plan.error(control, treated)  # of the sum of daily z-steps, each with variance 1
    numbers = np.arange(1, days + 1)
    limits = boundary((numbers * daily).astype(np.float64), alpha=alpha, tuned_for=tuned_for) * np.sqrt(numbers)
    limits[numbers < plan.begins_at(control, treated)] = np.inf
    found = np.empty(days)
    lowest, density = 0.0, np.array([1.0 / _STEP])
    steps = np.arange(-_REACH - abs(drift), _REACH + abs(drift) + _STEP, _STEP)
    kernel = np.exp(-((steps - drift) ** 2) / 2.0) * (_STEP / np.sqrt(2.0 * np.pi))
    escaped = 0.0
    for day, limit in enumerate(limits):
        moved = np.convolve(density, kernel)
        lowest += float(steps[0])
        points = lowest + _STEP * np.arange(len(moved), dtype=np.float64)
        total = moved.sum() * _STEP
        inside = _share_inside(points, limit)
        kept = moved * inside
        escaped += total - kept.sum() * _STEP
        found[day] = escaped
        held = np.flatnonzero(inside)
        if not len(held):
            found[day:] = escaped
            break
        density, lowest = kept[held[0] : held[-1] + 1], float(points[held[0]])
    return np.clip(found, 0.0, 1.0)


def days_needed(
    plan: Plan,
    *,
    daily: float,
    weights: tuple[float, float] = (1.0, 1.0),
    alpha: float = 0.05,
    power: float = POWER,
    most: int = 180,
) -> int | None:
    """Return the first day by which the effect is found with a chance of ``power``; None where ``most`` do not do."""
    reached = np.flatnonzero(power_by_day(plan, daily=daily, days=most, weights=weights, alpha=alpha) >= power)
    return int(reached[0]) + 1 if len(reached) else None


def _share_inside(points: Values, limit: float) -> Values:
    """Return how much of each cell of the grid lies between minus and plus the limit."""
    upper = np.clip((limit - points) / _STEP + 0.5, 0.0, 1.0)
    lower = np.clip((points + limit) / _STEP + 0.5, 0.0, 1.0)
    return np.minimum(upper, lower)
