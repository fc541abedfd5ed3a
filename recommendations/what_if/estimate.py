"""What a draft may change of clicks, revenue and margin, before anybody has seen it, with an interval.

A position-based click model: a click is an item's own appeal times the chance that its position is looked at. Appeal is
taken from how often lists showed the item and how often it was clicked, drawn to the site's mean where that is little;
revenue from what a click led to, likewise. Nothing was shown at random for it, so it holds as far as this does:

- positions are looked at in proportion to ``1 / log2(rank + 1)``, whatever stands there;
- an item's appeal is the same for every user and beside every other item;
- past positions of an item were as usual as those of others.

The interval covers chance in the requests and in the counts, not those assumptions: an experiment measures.

References
----------
Li et al., "Offline Evaluation of Ranking Policies with Click Models", KDD 2018: the item-position estimator.
Järvelin & Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 2002: the discount of positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from tracking.templatetags.written import decimal

Floats = NDArray[np.float64]

DRAWS: Final = 200
INTERVAL: Final = (2.5, 97.5)
PRIOR_IMPRESSIONS: Final = 100.0
"""So many impressions weigh as much as the site's mean."""

PRIOR_CLICKS: Final = 20.0
FEWEST_CLICKS: Final = 30.0
"""Clicks of all items together below which nothing is said."""

ASSUMPTIONS: Final = gettext_lazy(
    "Estimated from past clicks, not measured: it assumes that higher ranks are looked at more by a fixed rule, and "
    "that an item appeals to everybody alike. The interval covers chance alone. An experiment or a hold-out measures."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCounts:
    """What lists did with each item of a catalogue; all of shape (n_rows,), by row.

    Attributes
    ----------
    impressions, clicks, orders : float64
    price : float64
        Of the site's currency; NaN for none.
    margin : float64
        Share of the price; NaN where it is not known.
    """

    impressions: Floats
    clicks: Floats
    orders: Floats
    price: Floats
    margin: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A relative change, .05 for 5 % more, with its 95 % interval."""

    expected: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The change in percent and its interval, such as "+5.0 % (+1.2 to +8.9 %)"."""
        said = {
            name: f"{'-' if share < 0 else '+'}{decimal(abs(100 * share))}"
            for name, share in (("expected", self.expected), ("low", self.low), ("high", self.high))
        }
        return _("%(expected)s %% (%(low)s to %(high)s %%)") % said


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of all lists together; ``None`` for what nothing is known of."""

    clicks: Change
    revenue: Change | None
    margin: Change | None

    @property
    def sentence(self) -> str:
        """All of it, in words."""
        changes = ((_("clicks"), self.clicks), (_("revenue"), self.revenue), (_("margin"), self.margin))
        parts = [f"{name} {change.words}" for name, change in changes if change is not None]
        return _("Expected: %(parts)s.") % {"parts": ", ".join(parts)}


def expected(
    before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], counts: ItemCounts, *, seed: int = 0
) -> Expected | None:
    """Return what is expected of the lists after, beside those before; ``None`` where too little was clicked.

    Parameters
    ----------
    before, after : sequences of lists of rows
        The same requests, answered twice.
    """
    if counts.clicks.sum() < FEWEST_CLICKS or not before:
        return None
    rng = np.random.default_rng(seed)
    rows = np.unique(np.fromiter((row for lists in (before, after) for each in lists for row in each), np.int64))
    if not len(rows):
        return None
    seen, clicked, ordered = (each[rows] for each in (counts.impressions, counts.clicks, counts.orders))
    seen = np.maximum(seen, clicked)
    rate = counts.clicks.sum() / max(float(np.maximum(counts.impressions, counts.clicks).sum()), 1.0)
    bought = min(counts.orders.sum() / counts.clicks.sum(), 0.999)
    appeal = rng.beta(
        clicked + PRIOR_IMPRESSIONS * rate, seen - clicked + PRIOR_IMPRESSIONS * (1 - rate), (DRAWS, len(rows))
    )
    worth = np.nan_to_num(counts.price[rows])
    orders_a_click = (
        rng.gamma(ordered + PRIOR_CLICKS * bought, 1.0, (DRAWS, len(rows))) / (clicked + PRIOR_CLICKS)
        if bought > 0
        else None
    )
    margins = counts.margin[rows]
    known = margins[~np.isnan(margins)]
    margins = np.where(np.isnan(margins), known.mean() if len(known) else 0.0, margins)
    resampled = rng.poisson(1.0, (DRAWS, len(before))).astype(np.float64)
    exposure = [_exposure(lists, rows) for lists in (before, after)]
    exact_appeal = (clicked + PRIOR_IMPRESSIONS * rate) / (seen + PRIOR_IMPRESSIONS)
    exact_orders = (ordered + PRIOR_CLICKS * bought) / (clicked + PRIOR_CLICKS)

    def change(value: Floats, exact: Floats) -> Change | None:
        old, new = (_totals(each, value, resampled) for each in exposure)
        point = [float((_per_list(each, exact)).sum()) for each in exposure]
        drawn = old > 0  # of very few lists a draw may hold none
        if not point[0] or not drawn.any():
            return None
        low, high = np.percentile(new[drawn] / old[drawn] - 1.0, INTERVAL).tolist()
        return Change(expected=point[1] / point[0] - 1.0, low=low, high=high)

    clicks = change(appeal, exact_appeal)
    if clicks is None:
        return None
    if orders_a_click is None:
        return Expected(clicks=clicks, revenue=None, margin=None)
    revenue = change(appeal * orders_a_click * worth, exact_appeal * exact_orders * worth)
    margin = change(appeal * orders_a_click * worth * margins, exact_appeal * exact_orders * worth * margins)
    return Expected(clicks=clicks, revenue=revenue, margin=margin if len(known) else None)


def _exposure(lists: Sequence[Sequence[int]], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats, int]:
    """Return, for each item of each list, its index in ``rows``, the weight of its position, and how long lists are."""
    width = max((len(each) for each in lists), default=0)
    indices = np.zeros((len(lists), width), np.int64)
    weights = np.zeros((len(lists), width))
    discount = 1.0 / np.log2(np.arange(width) + 2.0)
    for number, each in enumerate(lists):
        if len(each):
            indices[number, : len(each)] = rows.searchsorted(np.asarray(each))
            weights[number, : len(each)] = discount[: len(each)]
    return indices, weights, width


def _per_list(exposure: tuple[NDArray[np.int64], Floats, int], value: Floats) -> Floats:
    indices, weights, _ = exposure
    found: Floats = (value[indices] * weights).sum(axis=1)
    return found


def _totals(exposure: tuple[NDArray[np.int64], Floats, int], values: Floats, resampled: Floats) -> Floats:
    """Return the total of each draw, shape (n_draws,): lists drawn again, with that draw's values."""
    return np.array([float(_per_list(exposure, value) @ times) for value, times in zip(values, resampled, strict=True)])
