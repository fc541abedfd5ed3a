"""What lists did with each item, summed over days of the roll-ups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.db.models import Sum
from numpy.typing import NDArray

from recommendations.models import ReportItemDay, ReportState
from tracking.models import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTotals:
    """Sums by item, over all lists together.

    Attributes
    ----------
    item_ids : tuple of str
    sums : float64, shape (n_items, 3)
        Impressions, clicks, orders.
    """

    item_ids: tuple[str, ...]
    sums: NDArray[np.float64]


_known: Final[dict[int, tuple[Hashable, ItemTotals]]] = {}
"""By site. A form asks while it is typed in, and roll-ups hold tens of thousands of rows for a month."""


def item_totals(site: Site, *, since: dt.date) -> ItemTotals:
    """Return the sums of the days from ``since`` on; they are read again once the roll-ups were made again."""
    made_at = ReportState.objects.filter(site=site).values_list("made_at", flat=True).first()
    key = (since, made_at)
    known = _known.get(site.pk)
    if made_at is None or known is None or known[0] != key:
        known = key, _read(site, since)
        _known[site.pk] = known
    return known[1]


def _read(site: Site, since: dt.date) -> ItemTotals:
    rows = list(
        ReportItemDay.objects.filter(site=site, placement="", day__gte=since)
        .exclude(item_id="")
        .values_list("item_id")
        .annotate(Sum("impressions"), Sum("clicks"), Sum("orders"))
    )
    return ItemTotals(
        item_ids=tuple(item_id for item_id, *_ in rows),
        sums=np.array([sums for _, *sums in rows], np.float64).reshape(-1, 3),
    )
