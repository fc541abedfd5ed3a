"""Pure: recency, frequency and monetary value of all users of a site → quintiles, scores, segments.

Scores are from 1 to 5; 5 is the best fifth. A score is the number of quintile bounds that the value exceeds, plus one,
so equal values always have equal scores, and a fifth may be larger or smaller than the others.

References
----------
Hughes, "Strategic Database Marketing", 1994.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

CUTS: Final = (0.2, 0.4, 0.6, 0.8)
SCORES: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyers:
    """Who bought, one row a user; all arrays have shape (n,) and one order.

    Attributes
    ----------
    last_purchase_ms : int64
        Event time of the newest purchase.
    orders : int64
        Purchases, each transaction once.
    monetary : int64
        Revenue less refunds, in minor units of the site's currency.
    """

    last_purchase_ms: Ints
    orders: Ints
    monetary: Ints

    def __len__(self) -> int:
        return len(self.orders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quintiles:
    """The four bounds of each measure, ascending; recency as event time, so that later is better."""

    last_purchase_ms: tuple[int, ...]
    orders: tuple[int, ...]
    monetary: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRule:
    """A named box of scores, bounds included; of several that fit, the first counts."""

    name: str
    recency: tuple[int, int] = (1, 5)
    frequency: tuple[int, int] = (1, 5)
    monetary: tuple[int, int] = (1, 5)

    def holds(self, recency: int, frequency: int, monetary: int) -> bool:
        """Return whether the scores are inside the box."""
        return (
            self.recency[0] <= recency <= self.recency[1]
            and self.frequency[0] <= frequency <= self.frequency[1]
            and self.monetary[0] <= monetary <= self.monetary[1]
        )


DEFAULT_RULES: Final = (
    SegmentRule(name="champions", recency=(5, 5), frequency=(4, 5), monetary=(4, 5)),
    SegmentRule(name="loyal", recency=(3, 5), frequency=(4, 5)),
    SegmentRule(name="potential loyalists", recency=(4, 5), frequency=(2, 3)),
    SegmentRule(name="new", recency=(5, 5), frequency=(1, 1)),
    SegmentRule(name="promising", recency=(4, 4), frequency=(1, 1)),
    SegmentRule(name="needs attention", recency=(3, 3), frequency=(2, 3)),
    SegmentRule(name="cannot lose", recency=(1, 1), frequency=(5, 5)),
    SegmentRule(name="at risk", recency=(1, 2), frequency=(3, 5)),
    SegmentRule(name="about to sleep", recency=(3, 3), frequency=(1, 1)),
    SegmentRule(name="hibernating", recency=(1, 2), frequency=(1, 2)),
)
OTHERS: Final = "others"


def quintiles(buyers: Buyers) -> Quintiles:
    """Return the exact bounds: the values that end the first, second, third and fourth fifth of the sorted rows."""
    return Quintiles(
        last_purchase_ms=_bounds(buyers.last_purchase_ms),
        orders=_bounds(buyers.orders),
        monetary=_bounds(buyers.monetary),
    )


def scores(buyers: Buyers, bounds: Quintiles) -> NDArray[np.int8]:
    """Return recency, frequency and monetary scores; int8, shape (n, 3)."""
    columns = (
        (buyers.last_purchase_ms, bounds.last_purchase_ms),
        (buyers.orders, bounds.orders),
        (buyers.monetary, bounds.monetary),
    )
    return np.stack(
        [1 + np.searchsorted(np.asarray(limits, np.int64), values, side="left") for values, limits in columns],
        axis=1,
    ).astype(np.int8)


def segment_table(rules: Sequence[SegmentRule]) -> dict[tuple[int, int, int], str]:
    """Return the segment of each of the 125 combinations of scores."""
    return {
        (r, f, m): next((rule.name for rule in rules if rule.holds(r, f, m)), OTHERS)
        for r in SCORES
        for f in SCORES
        for m in SCORES
    }


def heat_map(scored: NDArray[np.int8], monetary: Ints) -> list[list[tuple[int, int]]]:
    """Return users and their mean monetary value by recency score (rows) and frequency score (columns)."""
    cells: list[list[tuple[int, int]]] = []
    for recency in SCORES:
        row: list[tuple[int, int]] = []
        for frequency in SCORES:
            inside = (scored[:, 0] == recency) & (scored[:, 1] == frequency)
            users = int(inside.sum())
            row.append((users, int(monetary[inside].mean()) if users else 0))
        cells.append(row)
    return cells


def segment_sizes(scored: NDArray[np.int8], table: Mapping[tuple[int, int, int], str]) -> dict[str, int]:
    """Return how many users each segment has, largest first."""
    combinations, users = np.unique(scored, axis=0, return_counts=True)
    sizes: dict[str, int] = {}
    for (r, f, m), n in zip(combinations.tolist(), users.tolist(), strict=True):
        name = table[(r, f, m)]
        sizes[name] = sizes.get(name, 0) + n
    return dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])))


def _bounds(values: Ints) -> tuple[int, ...]:
    if not len(values):
        return (0, 0, 0, 0)
    ordered = np.sort(values)
    ends = [max(0, int(np.ceil(cut * len(ordered))) - 1) for cut in CUTS]
    return tuple(int(ordered[end]) for end in ends)
