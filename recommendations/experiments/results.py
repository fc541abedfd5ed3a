"""From the sums of arms to what merchandisers read: metrics with intervals, alarms, and one plain sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from features.state.experiments.sums import OF_STEP, whole
from features.store.arm_sums import ArmTotals
from recommendations.experiments.statistics.comparison import Comparison, boundary, lift
from recommendations.experiments.statistics.power import Plan, days_needed
from recommendations.experiments.statistics.sample_ratio import ALARM, p_value_at_any_look
from recommendations.experiments.statistics.samples import Sample, Sums, of_ratio, with_covariate
from recommendations.experiments.statistics.winsor import StepSums, cap_of, winsorised
from recommendations.models import Metric

METRICS: Final = tuple(Metric)
IN_WORDS: Final = {
    Metric.CLICKS: gettext_lazy("click-through"),
    Metric.CARTS: gettext_lazy("shoppers who put something into the cart"),
    Metric.CONVERSION: gettext_lazy("shoppers who buy"),
    Metric.REVENUE: gettext_lazy("revenue a shopper"),
    Metric.MARGIN: gettext_lazy("margin a shopper"),
}
_LETTERS: Final = {Metric.REVENUE: "r", Metric.MARGIN: "m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One metric of one treated arm against the control; shares, so that 0.1 is ten per cent.

    Attributes
    ----------
    control, treated : float
        Means of a visitor (of an impression, for click-through); of money in minor units.
    lift, lower, upper : float
        What is brought, and its anytime-valid interval; infinite where too little is known.
    """

    metric: Metric
    control: float
    treated: float
    lift: float
    lower: float
    upper: float

    @property
    def is_known(self) -> bool:
        """Whether enough is known for an interval."""
        return math.isfinite(self.lower)

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``open``, or ``early``."""
        if not self.is_known:
            return "early"
        return "better" if self.lower > 0 else "worse" if self.upper < 0 else "open"

    @property
    def spans(self) -> dict[str, float]:
        """Where lift and interval stand on a scale from -50 % to 50 %, in per cent of its width."""
        left, middle, right = (
            min(max(50.0 + 100.0 * value, 0.0), 100.0) for value in (self.lower, self.lift, self.upper)
        )
        return {"left": left, "middle": middle, "right": right, "width": right - left}

    def as_json(self) -> dict[str, float | None]:
        """Return the lift and its interval, None where it is infinite."""
        return {
            name: value if math.isfinite(value) else None
            for name, value in (("lift", self.lift), ("lower", self.lower), ("upper", self.upper))
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the arms of an experiment say, the control first.

    Attributes
    ----------
    visitors : tuple of int
        By arm.
    readings : tuple of dict
        By treated arm: metric → reading.
    split_p_value : float
        Of visitors being split as planned; below ``sample_ratio.ALARM`` something is broken.
    returns : tuple of float or None
        By arm: the share of revenue that was refunded; None without revenue.
    cap_minor : int or None
        Revenue of a visitor above it counts as this.
    """

    visitors: tuple[int, ...]
    readings: tuple[Mapping[Metric, Reading], ...]
    split_p_value: float
    returns: tuple[float | None, ...]
    cap_minor: int | None

    @property
    def has_wrong_split(self) -> bool:
        """Whether the sample-ratio alarm rings: then nothing else here can be trusted."""
        return self.split_p_value < ALARM


def results_of(totals: Mapping[int, ArmTotals], weights: Sequence[int], *, alpha: float = 0.05) -> Results:
    """Return what arms say; ``alpha`` is shared by all treated arms (Bonferroni).

    Parameters
    ----------
    totals : mapping of int to ArmTotals
        By arm; one that is missing has no visitors.
    weights : sequence of int
        How visitors are split between the arms.
    """
    arms = [totals.get(number) or ArmTotals() for number in range(len(weights))]
    visitors = tuple(arm.of["users"] for arm in arms)
    own_alpha = alpha / max(len(arms) - 1, 1)
    caps = {metric: cap_of([_steps(arm, letter) for arm in arms]) for metric, letter in _LETTERS.items()}
    return Results(
        visitors=visitors,
        readings=tuple(
            {metric: _reading(metric, arms[0], arm, cap=caps.get(metric), alpha=own_alpha) for metric in METRICS}
            for arm in arms[1:]
        ),
        split_p_value=float(p_value_at_any_look(visitors, weights)) if sum(visitors) else 1.0,
        returns=tuple(_returns(arm) for arm in arms),
        cap_minor=caps[Metric.REVENUE],
    )


def sentence(results: Results, names: Sequence[str], metric: Metric, *, days_left: int | None = None) -> str:
    """Return what a merchandiser has to know, in one plain sentence."""
    if results.has_wrong_split:
        return _(
            "Visitors are not split between the arms as planned, so that nothing here can be trusted: "
            "one arm may be slow or broken for some of them."
        )
    if not sum(results.visitors):
        return _("Nobody has seen it yet: the first visitors are counted within seconds of seeing a list.")
    best = max(range(len(results.readings)), key=lambda number: results.readings[number][metric].lift)
    reading = results.readings[best][metric]
    name, what = names[best + 1], IN_WORDS[metric]
    if reading.verdict == "better":
        return _("%(name)s brings between %(percent)s and %(percent2)s more %(what)s: ship it.") % {
            "name": name,
            "percent": _percent(reading.lower),
            "percent2": _percent(reading.upper),
            "what": what,
        }
    if all(one[metric].verdict == "worse" for one in results.readings):
        return _(
            "No arm does better than %(names)s: the best, %(name)s, loses between %(percent)s and "
            "%(percent2)s of %(what)s. Stop it."
        ) % {
            "names": names[0],
            "name": name,
            "percent": _percent(-reading.upper),
            "percent2": _percent(-reading.lower),
            "what": what,
        }
    if reading.verdict == "early":
        return _("Too early: there are too few visitors yet to say anything of %(what)s.") % {"what": what}
    more = (
        ngettext(" About one more day is likely to tell.", " About %(n)s more days are likely to tell.", days_left)
        % {"n": days_left}
        if days_left
        else ""
    )
    return _("Not decided: %(name)s may bring anything from %(percent)s to %(percent2)s of %(what)s.%(more)s") % {
        "name": name,
        "percent": _percent(reading.lower),
        "percent2": _percent(reading.upper),
        "what": what,
        "more": more,
    }


def days_to_go(results: Results, *, metric: Metric, minimum_lift: float, days: float) -> int | None:
    """Return how many more days of today's traffic find the smallest lift worth finding; None where unknown."""
    visitors = sum(results.visitors)
    readings = [one[metric] for one in results.readings]
    if not readings or not readings[0].is_known or days <= 0 or not visitors:
        return None
    reading = readings[0]
    width = (reading.upper - reading.lower) / 2
    mean = abs(reading.control) or 1.0
    # From the interval as it is to the variance that one visitor has: its width is all that is kept here.

    error = width / float(boundary(np.asarray(visitors, np.float64), alpha=0.05))
    control, treated = results.visitors[0] or 1, results.visitors[1] or 1
    variance = (error * mean) ** 2 / (1 / control + 1 / treated)
    if variance <= 0:
        return None
    plan = Plan(mean=mean, variance=variance, lift=minimum_lift)
    needed = days_needed(plan, daily=visitors / days, weights=(float(control), float(treated)))
    return None if needed is None else max(1, math.ceil(needed - days))


def _reading(metric: Metric, control: ArmTotals, treated: ArmTotals, *, cap: int | None, alpha: float) -> Reading:
    left, right = _samples(metric, control, treated, cap)
    found: Comparison = lift(left, right, alpha=alpha)
    return Reading(
        metric=metric,
        control=float(left.base),
        treated=float(right.base),
        lift=float(found.difference),
        lower=float(found.lower),
        upper=float(found.upper),
    )


def _samples(metric: Metric, control: ArmTotals, treated: ArmTotals, cap: int | None) -> tuple[Sample, Sample]:
    if metric is Metric.CLICKS:
        return of_ratio(_clicks(control)), of_ratio(_clicks(treated))
    if metric in _LETTERS:
        letter = _LETTERS[metric]
        return with_covariate(_money(control, letter, cap), _money(treated, letter, cap))
    name = "carters" if metric is Metric.CARTS else "buyers"
    return with_covariate(_share(control, name), _share(treated, name))


def _clicks(arm: ArmTotals) -> Sums:
    of = arm.of
    return Sums.of(
        of["users"],
        of["clicks"],
        of["clicks_squares"],
        of["impressions"],
        of["impressions_squares"],
        of["clicks_impressions"],
    )


def _share(arm: ArmTotals, name: str) -> Sums:
    of = arm.of
    return Sums.of(
        of["users"],
        of[name],
        of[name],
        of["orders_before"],
        of["orders_before_squares"],
        of[f"{name}_orders_before"],
    )


def _money(arm: ArmTotals, letter: str, cap: int | None) -> Sums:
    of = arm.of
    squares = whole(of["revenue_before_squares_high"], of["revenue_before_squares_low"])
    return winsorised(_steps(arm, letter), n=of["users"], other=of["revenue_before"], other_squares=squares, cap=cap)


def _steps(arm: ArmTotals, letter: str) -> dict[int, StepSums]:
    found = {}
    for step, amounts in arm.steps.get(letter, {}).items():
        of: dict[str, Any] = dict(zip(OF_STEP, amounts, strict=True))
        found[step] = StepSums(
            n=of["users"],
            total=of["total"],
            squares=whole(of["squares_high"], of["squares_low"]),
            other=of["before"],
            products=whole(of["products_high"], of["products_low"]),
        )
    return found


def _returns(arm: ArmTotals) -> float | None:
    sold = arm.of["revenue"] + arm.of["refunded"]
    return arm.of["refunded"] / sold if sold > 0 else None


def _percent(value: float) -> str:
    return f"{number_format(100 * value, 1)} %"
