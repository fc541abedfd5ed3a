"""What the results pages of experiments and hold-outs share: rows, bars, and the chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis
from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.experiments.guardrails import IN_WORDS as IN_WORDS_OF_GUARDS
from recommendations.experiments.guardrails import GuardReading, percent
from recommendations.experiments.results import IN_WORDS, Reading, Results
from recommendations.models import ExperimentDay, Metric
from tracking.redis_client import connect
from tracking.templatetags.written import amount

REDIS_TIMEOUT_S: Final = 2.0
_MONEY: Final = frozenset({Metric.REVENUE, Metric.MARGIN})
VERDICTS: Final = {
    "better": gettext_lazy("better"),
    "worse": gettext_lazy("worse"),
    "open": gettext_lazy("not decided"),
    "early": gettext_lazy("too early"),
}
GUARD_VERDICTS: Final = {
    "harm": gettext_lazy("worse"),
    "held": gettext_lazy("holds"),
    "open": gettext_lazy("not decided"),
    "early": gettext_lazy("too early"),
}
CHART_REACH: Final = 0.3
"""The chart's scale ends at this lift to either side."""


def client() -> redis.Redis:
    """Return a client for an admin page, which does not wait long."""
    return connect(settings.REDIS_URL, timeout_s=REDIS_TIMEOUT_S)


def rows_of(found: Results, names: Sequence[str], *, currency: str, decided_by: Metric) -> list[dict[str, Any]]:
    """Return one row a treated arm and metric, the deciding metric first."""
    metrics = sorted(Metric, key=lambda metric: metric is not decided_by)
    return [
        {
            "arm": names[number + 1],
            "metric": IN_WORDS[metric],
            "is_decisive": metric is decided_by,
            "control": _written(metric, reading.control, currency),
            "treated": _written(metric, reading.treated, currency),
            "reading": reading,
            "verdict": VERDICTS[reading.verdict],
            "lift": _percent(reading.lift) if reading.is_known else "-",
            "interval": interval(reading),
        }
        for number, readings in enumerate(found.readings)
        for metric in metrics
        for reading in (readings[metric],)
    ]


def arms_of(found: Results, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row an arm: visitors and returns."""
    return [
        {
            "name": name,
            "visitors": found.visitors[number],
            "returns": None if (share := found.returns[number]) is None else f"{number_format(100 * share, 1)} %",
        }
        for number, name in enumerate(names)
    ]


def guards_of(readings: Sequence[GuardReading], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row a guardrail and treated arm."""
    return [
        {
            "guard": IN_WORDS_OF_GUARDS[reading.guard],
            "arm": names[reading.arm],
            "control": percent(reading.control),
            "treated": percent(reading.treated),
            "change": points(reading.change),
            "interval": _("%(low)s to %(high)s") % {"low": points(reading.lower), "high": points(reading.upper)}
            if reading.is_known
            else _("too few visitors"),
            "is_harm": reading.verdict == "harm",
            "verdict": GUARD_VERDICTS[reading.verdict],
        }
        for reading in readings
    ]


def points(value: float) -> str:
    """Return a change of a share in percentage points, with its sign."""
    return _("%(change)s points") % {"change": number(100 * value)}


def chart_of(days: Sequence[ExperimentDay], metric: Metric) -> list[dict[str, Any]]:
    """Return the interval of the first treated arm by day, in per cent of the chart's width and height."""
    step = 100 / max(len(days), 1)
    drawn = []
    for number, day in enumerate(days):
        values: Mapping[str, float | None] = (day.figures.get(metric.value) or [{}])[0]
        lower, upper, middle = values.get("lower"), values.get("upper"), values.get("lift")
        if lower is None or upper is None or middle is None:
            continue
        top, bottom = _height(upper), _height(lower)
        drawn.append(
            {
                "day": day.day,
                "left": number * step + step * 0.2,
                "width": step * 0.6,
                "top": top,
                "height": max(bottom - top, 1.0),
                "middle": _height(middle),
                "words": _("%(low)s to %(high)s") % {"low": _percent(lower), "high": _percent(upper)},
            }
        )
    return drawn


def _height(value: float) -> float:
    return 50.0 - 50.0 * min(max(value / CHART_REACH, -1.0), 1.0)


def interval(reading: Reading) -> str:
    """Return between what a change lies."""
    return (
        _("%(low)s to %(high)s") % {"low": _percent(reading.lower), "high": _percent(reading.upper)}
        if reading.is_known
        else _("too few visitors")
    )


def number(value: float, decimals: int = 1) -> str:
    """Return a change with its sign, as the reader's language writes numbers."""
    return ("\N{MINUS SIGN}" if value < 0 else "+") + number_format(abs(value), decimals, force_grouping=True)


def _percent(value: float) -> str:
    return f"{number(100 * value)} %"


def _written(metric: Metric, value: float, currency: str) -> str:
    if metric in _MONEY:
        return f"{amount(round(value), currency)} {currency}"
    return f"{number_format(100 * value, 2)} %"
