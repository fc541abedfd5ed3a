"""A share of places for new items, so that they are seen often enough to be learnt about. Off unless a placement asks.

What nobody has seen, no model can rank. Places are given by chance and not by score, so that what is logged about them
is fair to every new item. Chance follows from the shopper, the placement and the hour: a page that is loaded again
shows the same list, and a cached list is the list that would be made.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import numpy as np

from recommendations.items.index import DAY_MS, ItemIndex
from recommendations.pipeline.eligibility import Allowed
from recommendations.pipeline.fallbacks import Filled
from recommendations.pipeline.query import ListQuery
from recommendations.retrieval.arrivals import FRESH_DAYS

LOOKED_AT: Final = 200
KEPT_FIRST: Final = 1
"""Places at the top that are never given away: the best answer stays where it is looked for."""

HOUR_MS: Final = 3_600_000
REASON: Final = "exploration"


def with_new_items(
    filled: Filled, ask: ListQuery, item_index: ItemIndex, allowed: Allowed, *, key: str | None, now_ms: int
) -> Filled:
    """Return the list with new items in some of its places; the same list where the placement wants none.

    Each place below the first is given to a new item with the placement's chance, as long as there are new items that
    the list may show. An item is new for 30 days. Given candidates are never added to.
    """
    share = ask.placement.exploration
    if share <= 0 or ask.candidates is not None or len(filled.rows) <= KEPT_FIRST:
        return filled
    chance = np.random.default_rng(
        [zlib.crc32((key or "").encode()), zlib.crc32(ask.placement.name.encode()), now_ms // HOUR_MS]
    )
    places = KEPT_FIRST + np.flatnonzero(chance.random(len(filled.rows) - KEPT_FIRST) < share)
    if not len(places):
        return filled
    fresh = _new_rows(item_index, allowed, listed=filled.rows, now_ms=now_ms)
    chosen = chance.permutation(fresh)[: len(places)].tolist()
    rows = list(filled.rows)
    for place, row in zip(places.tolist(), chosen, strict=False):
        rows[place] = row
    return replace(filled, rows=tuple(rows), reasons={**filled.reasons, **dict.fromkeys(chosen, REASON)})


def _new_rows(item_index: ItemIndex, allowed: Allowed, *, listed: Collection[int], now_ms: int) -> list[int]:
    """Return new items that may be shown and are not listed yet, one of each group."""
    newest = item_index.newest[:LOOKED_AT]
    first_seen_ms = item_index.catalogue.first_seen_ms[newest]
    fresh = allowed.keep(newest[first_seen_ms >= now_ms - FRESH_DAYS * DAY_MS]).tolist()
    taken, groups = set(listed), {int(item_index.similarity.group[row]) for row in listed} - {0}
    found = []
    for row in fresh:
        group = int(item_index.similarity.group[row])
        if row not in taken and group not in groups:
            found.append(row)
            groups |= {group} - {0}
    return found
