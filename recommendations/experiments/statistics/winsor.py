"""Winsorised amounts: the few largest count as the cap, so that one wholesale order does not decide an experiment.

Visitors are kept as sums by steps of their amount, about nine per cent wide, so that a cap can be chosen afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from features.state.experiments.sums import PER_DOUBLING
from recommendations.experiments.statistics.samples import Sums

SHARE: Final = 0.99
"""Visitors with an amount whose amount stays as it is; the rest count as the cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSums:
    """Sums over the visitors of one arm whose amounts lie in one step; whole numbers, so that they stay exact.

    ``other`` is the covariate of the same visitors, ``products`` the sum of amount times covariate.
    """

    n: int
    total: int
    squares: int
    other: int
    products: int


def upper_of(step: int) -> int:
    """Return the largest amount of a step."""
    if step <= 0:
        return 0
    exponent, leading = divmod(step - 1, PER_DOUBLING)
    lowest_of_next = (PER_DOUBLING + leading + 1) << exponent
    return max(-(-lowest_of_next // PER_DOUBLING) - 1, 1)


def cap_of(arms: Sequence[Mapping[int, StepSums]], *, share: float = SHARE) -> int | None:
    """Return the cap in minor units: the end of the step within which ``share`` of all arms' paying visitors lie.

    The same for all arms, or else the cap would make a difference between them. None without paying visitors.
    """
    counts: dict[int, int] = {}
    for steps in arms:
        for step, sums in steps.items():
            if step > 0 and sums.n > 0:
                counts[step] = counts.get(step, 0) + sums.n
    total, seen = sum(counts.values()), 0
    for step in sorted(counts):
        seen += counts[step]
        if seen >= share * total:
            return upper_of(step)
    return None


def winsorised(steps: Mapping[int, StepSums], *, n: int, other: int, other_squares: int, cap: int | None) -> Sums:
    """Return the sums of one arm with amounts above the cap counted as the cap.

    Parameters
    ----------
    steps : mapping of step to StepSums
        Of the visitors with an amount; those that are missing have none.
    n, other, other_squares : int
        All visitors, the sum of their covariate and of its squares.
    """
    total = squares = products = 0
    for step, sums in steps.items():
        if cap is not None and upper_of(step) > cap:
            total += cap * sums.n
            squares += cap * cap * sums.n
            products += cap * sums.other
        else:
            total += sums.total
            squares += sums.squares
            products += sums.products
    return Sums.of(n, total, squares, other, other_squares, products)
