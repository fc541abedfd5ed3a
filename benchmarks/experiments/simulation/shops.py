"""One simulated arm: each visitor comes on a day, sees lists, clicks, and may buy on that day or some days later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.experiments.statistics.samples import Sums

Days = NDArray[np.float64]

CONVERSION: Final = 0.05
SHARE_KNOWN: Final = 0.4
"""Visitors with purchases from before the experiment."""
CAP: Final = 400.0
"""Revenue of a visitor above it counts as this: about the 99th percentile of those who buy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Sums up to each day; shape (days,) each."""

    clicks: Sums
    buyers: Sums
    revenue: Sums


def simulated_arm(chance: np.random.Generator, *, daily: int, days: int, lift: float = 0.0) -> Arm:
    """Return an arm with ``daily`` new visitors a day on average.

    ``lift`` is how much more clicks and buyers there are, as a share.
    """
    n = int(chance.poisson(daily * days))
    came = chance.integers(0, days, n)
    taste = chance.standard_normal(n)
    impressions = 8.0 * (1 + chance.poisson(0.7, n))
    rate = np.clip(0.04 * np.exp(0.6 * taste - 0.18) * (1 + lift), 0, 1)
    clicks = chance.binomial(impressions.astype(np.int64), rate).astype(np.float64)
    before = np.where(chance.random(n) < SHARE_KNOWN, np.exp(3.5 + taste), 0.0)
    buys = chance.random(n) < CONVERSION * (1 + lift)
    bought = came + np.where(chance.random(n) < 0.6, 0, chance.geometric(0.3, n))
    amount = np.where(buys, np.minimum(np.exp(3.5 + 0.8 * taste + 0.7 * chance.standard_normal(n)), CAP), 0.0)
    is_there = buys & (bought < days)
    first, later = _by_day(came, days), _by_day(np.minimum(bought, days - 1), days, only=is_there)
    ones = np.ones(n)
    visitors = first(ones)
    return Arm(
        clicks=Sums(
            n=visitors,
            total=first(clicks),
            squares=first(clicks**2),
            other=first(impressions),
            other_squares=first(impressions**2),
            products=first(clicks * impressions),
        ),
        buyers=Sums.of(visitors, later(ones), later(ones)),
        revenue=Sums(
            n=visitors,
            total=later(amount),
            squares=later(amount**2),
            other=first(before),
            other_squares=first(before**2),
            products=later(amount * before),
        ),
    )


def _by_day(days_of: NDArray[np.int64], days: int, *, only: NDArray[np.bool_] | None = None) -> Callable[[Days], Days]:
    """Return what adds figures of visitors up to and with each day."""
    day = days_of if only is None else days_of[only]

    def sums(figures: Days) -> Days:
        chosen = figures if only is None else figures[only]
        return np.cumsum(np.bincount(day, weights=chosen, minlength=days))

    return sums
