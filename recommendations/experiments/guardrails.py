"""Guardrails of an experiment: what an arm must not make worse, whatever it sells, and the alarm that says it does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from features.state.experiments.sums import whole
from features.store.arm_sums import ArmTotals
from recommendations.experiments.served import slow_ms
from recommendations.experiments.statistics.comparison import at_any_look, is_known_enough
from recommendations.experiments.statistics.guardrails import ServedLists, is_known, mean_difference, slow_share
from recommendations.experiments.statistics.samples import Sample, Sums, of_ratio


class Guard(StrEnum):
    """What is watched."""

    SLOW = "slow"
    DIFFERENCE = "difference"
    RETURNS = "returns"


IN_WORDS: Final = {
    Guard.SLOW: gettext_lazy("slow lists"),
    Guard.DIFFERENCE: gettext_lazy("difference of the items of a list"),
    Guard.RETURNS: gettext_lazy("returns: share of the revenue that was given back"),
}
TOLERANCE: Final = {Guard.SLOW: 0.01, Guard.DIFFERENCE: 0.05, Guard.RETURNS: 0.01}
"""How much worse than the control an arm may be: a certain, tiny change is no harm."""
_BETTER_UP: Final = frozenset({Guard.DIFFERENCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReading:
    """One guardrail of one treated arm against the control; shares, so that 0.1 is ten per cent.

    Attributes
    ----------
    arm : int
        Number of the treated arm.
    change, lower, upper : float
        Treated less control, and its anytime-valid interval; infinite where too little is known.
    """

    guard: Guard
    arm: int
    control: float
    treated: float
    change: float
    lower: float
    upper: float

    @property
    def is_known(self) -> bool:
        """Whether enough is known for an interval."""
        return math.isfinite(self.lower)

    @property
    def verdict(self) -> str:
        """``harm`` (the whole interval is worse than tolerated), ``held`` (none of it is), ``open``, or ``early``."""
        if not self.is_known:
            return "early"
        tolerated = TOLERANCE[self.guard]
        best, worst = (-self.upper, -self.lower) if self.guard in _BETTER_UP else (self.lower, self.upper)
        return "harm" if best > tolerated else "held" if worst <= tolerated else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A guardrail that an arm breaks: what is wrong, naming the arm, and what to do."""

    what: str
    remedy: str


def guardrails_of(
    totals: Mapping[int, ArmTotals], served: Mapping[int, ServedLists], *, n_arms: int, alpha: float = 0.05
) -> list[GuardReading]:
    """Return each guardrail of each treated arm; ``alpha`` is shared by the treated arms, as for metrics."""
    own_alpha = alpha / max(n_arms - 1, 1)
    readings = []
    for guard in Guard:
        control, is_control_known = _sample(guard, 0, totals, served)
        for arm in range(1, n_arms):
            treated, is_treated_known = _sample(guard, arm, totals, served)
            found = at_any_look(control, treated, alpha=own_alpha, relative=False)
            decides = is_control_known and is_treated_known
            readings.append(
                GuardReading(
                    guard=guard,
                    arm=arm,
                    control=float(control.base),
                    treated=float(treated.base),
                    change=float(treated.base - control.base),
                    lower=float(found.lower) if decides else -math.inf,
                    upper=float(found.upper) if decides else math.inf,
                )
            )
    return readings


def alarms_of(readings: Sequence[GuardReading], names: Sequence[str]) -> list[Alarm]:
    """Return an alarm for each guardrail that an arm breaks."""
    return [_alarm(reading, names) for reading in readings if reading.verdict == "harm"]


def _alarm(reading: GuardReading, names: Sequence[str]) -> Alarm:
    said = {
        "arm": names[reading.arm],
        "treated": percent(reading.treated),
        "control": percent(reading.control),
        "limit": number_format(slow_ms(), 0),
    }
    if reading.guard is Guard.SLOW:
        return Alarm(
            what=_(
                "“%(arm)s” is slow: %(treated)s of its lists take longer than %(limit)s ms; in the control, "
                "%(control)s do."
            )
            % said,
            remedy=_("Stop the experiment, or give the arm a lighter model or strategy in a new one."),
        )
    if reading.guard is Guard.DIFFERENCE:
        return Alarm(
            what=_(
                "“%(arm)s” shows more of the same: the items of its lists differ by %(treated)s, those of the control "
                "by %(control)s."
            )
            % said,
            remedy=_("Raise the arm's difference, or limit items a brand and category, in a new experiment."),
        )
    return Alarm(
        what=_("What “%(arm)s” sells comes back: %(treated)s of its revenue is refunded; in the control, %(control)s.")
        % said,
        remedy=_("Look at which items are returned, keep them out with a rule, or stop the experiment."),
    )


def percent(share: float) -> str:
    """Return a share in per cent, as the reader's language writes numbers."""
    return f"{number_format(100 * share, 1)} %"


def _sample(
    guard: Guard, arm: int, totals: Mapping[int, ArmTotals], served: Mapping[int, ServedLists]
) -> tuple[Sample, bool]:
    if guard is Guard.RETURNS:
        sample = of_ratio(_refunds(totals.get(arm) or ArmTotals()))
        return sample, bool(is_known_enough(sample))
    lists = served.get(arm) or ServedLists()
    if guard is Guard.SLOW:
        return slow_share(lists), is_known(lists.lists)
    return mean_difference(lists), is_known(lists.compared)


def _refunds(arm: ArmTotals) -> Sums:
    of = arm.of

    def product(name: str) -> int:
        return whole(of[f"{name}_high"], of[f"{name}_low"])

    return Sums.of(
        of["users"],
        of["refunded"],
        product("refunded_squares"),
        of["revenue"] + of["refunded"],
        product("sold_squares"),
        product("refunded_sold"),
    )
