"""Pure: what must not get worse while an experiment runs: slow lists, lists of the same, refunds.

Lists of one user are alike, so that they are no independent draws. They are counted in ``GROUPS`` groups of
users, which are: the variance of a share is that of the groups' sums, by the delta method for a ratio of two sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.experiments.statistics.samples import Sample, Sums, of_ratio

GROUPS: Final = 64
KNOWN_LISTS: Final = 200
"""Lists of an arm before anything is said of it."""
KNOWN_GROUPS: Final = 16
"""Groups of users that these have to be of, at least: of fewer, a spread says little."""

IN_CATEGORY: Final = 0.6
IN_BRAND: Final = 0.4
"""What two items differ by that are of another category, of another brand: as the step ``diversity`` takes it."""

Counts = NDArray[np.int64]


def _nothing() -> Counts:
    return np.zeros(GROUPS, np.int64)


@dataclass(slots=True, kw_only=True)
class ServedLists:
    """What was served for one arm, by group of users; int64, shape (``GROUPS``,).

    Attributes
    ----------
    lists, slow, micros
        Lists, those that took too long, and how long all of them took in microseconds.
    compared, difference
        Lists of two items or more, and the sum of ``list_difference`` in thousandths.
    """

    lists: Counts = field(default_factory=_nothing)
    slow: Counts = field(default_factory=_nothing)
    micros: Counts = field(default_factory=_nothing)
    compared: Counts = field(default_factory=_nothing)
    difference: Counts = field(default_factory=_nothing)


def list_difference(categories: Sequence[int], brands: Sequence[int]) -> float | None:
    """Return how different the items of a list are on average, pair by pair, from 0 to 1; None for fewer than two.

    Parameters
    ----------
    categories, brands : sequence of int
        Of the items; 0 is unknown, and differs from everything.

    References
    ----------
    The intra-list dissimilarity of Smyth & McClave, "Similarity vs. Diversity", ICCBR 2001.
    """
    n_pairs = len(categories) * (len(categories) - 1) // 2
    if not n_pairs:
        return None
    return IN_CATEGORY * (1.0 - _same(categories) / n_pairs) + IN_BRAND * (1.0 - _same(brands) / n_pairs)


def slow_share(served: ServedLists) -> Sample:
    """Return the sample of lists that took too long.

    Where no list did, or all, the groups have no spread at all; the variance is never below that of a share with one
    list more of either kind.
    """
    sample = _ratio(served.slow, served.lists)
    share = (float(served.slow.sum()) + 1.0) / (float(sample.n) + 2.0)
    least = np.asarray(share * (1.0 - share), np.float64)
    return Sample(n=sample.n, mean=sample.mean, variance=np.maximum(sample.variance, least), base=sample.base)


def mean_difference(served: ServedLists) -> Sample:
    """Return the sample of how different the items of a list are; where all lists are alike, as of ``slow_share``."""
    found = _ratio(served.difference, served.compared)
    variance = np.maximum(found.variance / 1e6, 1.0 / (found.n + 2.0))
    return Sample(n=found.n, mean=found.mean / 1e3, variance=variance, base=found.base / 1e3)


def is_known(lists: Counts) -> bool:
    """Return whether there are enough lists, of enough users, to say something."""
    return int(lists.sum()) >= KNOWN_LISTS and int(np.count_nonzero(lists)) >= KNOWN_GROUPS


def _ratio(totals: Counts, lists: Counts) -> Sample:
    """Return the sample of a list whose variance is that of the groups' ratio; ``n`` is lists, the clock of looks."""
    left, right = totals.astype(np.float64), lists.astype(np.float64)
    of_groups = of_ratio(
        Sums.of(GROUPS, left.sum(), (left**2).sum(), right.sum(), (right**2).sum(), (left * right).sum())
    )
    n = np.asarray(right.sum(), np.float64)
    return Sample(n=n, mean=of_groups.mean, variance=of_groups.variance * n / GROUPS, base=of_groups.base)


def _same(values: Iterable[int]) -> int:
    """Return how many pairs have the same value; 0 is no value."""
    counts: dict[int, int] = {}
    same = 0
    for value in values:
        if value:
            same += counts.get(value, 0)
            counts[value] = counts.get(value, 0) + 1
    return same
