"""Of a network's visitors of an item, so many are read as go with all others: made-up ids train nothing.

As in popularity (``features.state.counting.networks``), an id costs nothing and a network does. Who looked at an item
from one network that day is read first come, first served, up to ``CERTAIN`` and ``SHARE`` of the item's visitors from
elsewhere: a carrier's or an office's visitors of what others look at, too, are all there.
"""

from __future__ import annotations

from typing import Final

import polars as pl

DAY_MS: Final = 86_400_000
CERTAIN: Final = 2
"""Visitors of an item and day that a network always has."""
SHARE: Final = 0.1
"""What a network may have beside, of the item's visitors of that day from elsewhere."""
_VOICE: Final = ["item_id", "network", "user_key"]


def without_surplus(day: pl.DataFrame) -> pl.DataFrame:
    """Return a day's rows without those of users beyond what their network has for the item.

    Parameters
    ----------
    day : DataFrame
        With ``item_id``, ``user_key``, ``user_id``, ``occurred_at_ms`` and ``network``, which is null where it is not
        known; such rows, and those of users for whom the shop vouched, all stay. In the order of rows.
    """
    found = day.filter(pl.col("network").is_not_null() & pl.col("user_id").is_null())
    if found.is_empty():
        return day
    users = found.group_by(_VOICE).agg(pl.col("occurred_at_ms").min())
    of_item = day.group_by("item_id").agg(pl.col("user_key").n_unique().alias("of_item"))
    of_network = pl.len().over("item_id", "network")
    rank = pl.struct("occurred_at_ms", "user_key").rank("ordinal").over("item_id", "network")
    surplus = users.join(of_item, on="item_id").filter(
        rank > CERTAIN + SHARE * (pl.col("of_item").cast(pl.Int64) - of_network.cast(pl.Int64))
    )
    if surplus.is_empty():
        return day
    numbered = day.with_row_index("number")
    doomed = numbered.filter(pl.col("user_id").is_null()).join(surplus, on=_VOICE, how="semi")["number"]
    return day.filter(~numbered["number"].is_in(doomed.implode()))
