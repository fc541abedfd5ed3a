"""Who took which share of what a site, or one of its items, counted in the last hour and day.

Read from the archive, which has each event with its item, its network and its user, seconds after it came. Memory is
bounded: of each kind the ``MOST_TOLD_APART`` names with the most events are told apart, after each file; a name that
was left out may lack at most the smallest count that was kept then, which is far below what makes a suspect.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from features.archive.maintenance import read_table
from features.archive.rows import DAY_MS
from features.archive.writer import ArchiveFolder, date_of
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

HOUR_MS: Final = 3_600_000
MOST_TOLD_APART: Final = 20_000
MOST_SAMPLED: Final = 256
SHOWN: Final = 25
LEAST_EVENTS: Final = 50
"""Fewer events of a source in a day move nothing, whatever their share."""
SITE_SHARE: Final = 0.05
ITEM_SHARE: Final = 0.25
LEAST_OF_ITEM: Final = 30
"""Fewer events of an item in a day say nothing about a share."""
_COLUMNS: Final = ("user_key", "user_id", "source", "network", "item_id", "occurred_at_ms", "bot")


@dataclass(slots=True, kw_only=True)
class Suspect:
    """A source and what it did.

    Attributes
    ----------
    network : int or None
        Tag of the network; None for a user key.
    user_key : str
        Empty for a network.
    hour, day : int
        Events with an item in the last hour and day, as many as the archive has.
    site_share : float
        The day's share of the site's events.
    item_id : str
        The item of which it took the largest share.
    item_share : float
        The day's share of that item's events.
    users : int
        User keys that a network was seen with, from ``MOST_SAMPLED`` on as an estimate; 1 for a user key.
    """

    network: int | None
    user_key: str
    hour: int
    day: int
    site_share: float
    item_id: str = ""
    item_share: float = 0.0
    item_events: int = 0
    users: int = 1


@dataclass(slots=True, kw_only=True)
class Suspects:
    """The suspects of a site, the largest share first, and what they were found among."""

    found: list[Suspect] = field(default_factory=list)
    events: int = 0
    networks: int = 0


def find_suspects(folder: ArchiveFolder, *, site: str, now_ms: int | None = None) -> Suspects:
    """Return who took a suspicious share of a day.

    Raises
    ------
    OSError
        The archive cannot be read.
    """
    now_ms = now_ms or time.time_ns() // 1_000_000
    suspects = Suspects()
    items = _Counts(("item_id",))
    by_kind = {name: _Counts((name, "item_id")) for name in ("network", "user_key")}
    totals = {name: _Counts((name,)) for name in by_kind}
    users = _Users()
    for frame in _frames(folder, site, now_ms):
        items.add(frame)
        for name in by_kind:
            known = frame.filter(pl.col(name).is_not_null())
            by_kind[name].add(known)
            totals[name].add(known)
        users.add(frame, totals["network"].frame)
    suspects.events = items.total
    suspects.networks = totals["network"].n_names
    if not suspects.events:
        return suspects
    for name, of_kind in totals.items():
        suspects.found += _suspects(name, of_kind.frame, by_kind[name].frame, items.frame, suspects.events)
    suspects.found.sort(key=lambda one: (-max(one.site_share, one.item_share), -one.day))
    del suspects.found[SHOWN:]
    seen = users.by_network()
    for one in suspects.found:
        if one.network is not None:
            one.users = seen.get(one.network, 1)
    return suspects


class _Counts:
    """Events of the hour and the day by some columns, of the names with the most of them."""

    def __init__(self, by: tuple[str, ...]) -> None:
        self.by = by
        self.total = 0
        self.n_names = 0
        self.frame = pl.DataFrame()

    def add(self, frame: pl.DataFrame) -> None:
        """Count what a file has."""
        self.total += frame.height
        added = frame.group_by(self.by).agg(pl.len().cast(pl.Int64).alias("day"), pl.col("is_new").sum().alias("hour"))
        added = added.with_columns(pl.col("hour").cast(pl.Int64))
        whole = added if self.frame.is_empty() else pl.concat([self.frame, added])
        summed = whole.group_by(self.by).agg(pl.col("day").sum(), pl.col("hour").sum())
        self.n_names = max(self.n_names, summed.height)
        self.frame = summed.sort("day", descending=True).head(MOST_TOLD_APART)


class _Users:
    """How many user keys each network was seen with, from one pass; memory: ``MOST_SAMPLED`` numbers a network.

    References
    ----------
    Bar-Yossef et al., "Counting Distinct Elements in a Data Stream", RANDOM 2002: the k-th smallest of ``n`` hashes
    that are spread evenly over the range is about ``k / n`` of it.
    """

    def __init__(self) -> None:
        self._smallest = pl.DataFrame(schema={"network": pl.Int64, "hash": pl.UInt64})

    def add(self, frame: pl.DataFrame, told_apart: pl.DataFrame) -> None:
        """Add what a file has of the networks that are told apart."""
        of_networks = frame.filter(pl.col("network").is_not_null())
        seen = of_networks.select(pl.col("network").cast(pl.Int64), pl.col("user_key").hash().alias("hash"))
        whole = pl.concat([self._smallest, seen]).unique()
        if not told_apart.is_empty():
            kept = told_apart.select(pl.col("network").cast(pl.Int64))
            whole = whole.join(kept, on="network", how="semi")
        self._smallest = whole.sort("hash").group_by("network", maintain_order=True).head(MOST_SAMPLED)

    def by_network(self) -> dict[int, int]:
        """Return the number of user keys by network."""
        found = self._smallest.group_by("network").agg(pl.len().alias("n"), pl.col("hash").max().alias("largest"))
        return {
            network: n if n < MOST_SAMPLED else round((MOST_SAMPLED - 1) * 2.0**64 / largest)
            for network, n, largest in found.iter_rows()
        }


def _frames(folder: ArchiveFolder, site: str, now_ms: int) -> Iterable[pl.DataFrame]:
    """Yield the day's events with an item, a file at a time; who a shop's server vouches for has no network here."""
    for day in (now_ms // DAY_MS - 1, now_ms // DAY_MS):
        for path in folder.files(site=site, date=date_of(day)):
            try:
                frame = cast("pl.DataFrame", pl.from_arrow(read_table(folder, path, columns=_COLUMNS)))
            except FileNotFoundError:  # joined meanwhile
                continue
            is_page = pl.col("user_id").is_null() & (pl.col("source") == "browser")
            yield frame.filter(
                pl.col("item_id").is_not_null()
                & ~pl.col("bot").fill_null(value=False)
                & (pl.col("occurred_at_ms") > now_ms - DAY_MS)
            ).with_columns(
                (pl.col("occurred_at_ms") > now_ms - HOUR_MS).alias("is_new"),
                pl.when(is_page).then(pl.col("network")).alias("network"),
                pl.when(is_page).then(pl.col("user_key")).alias("user_key"),
            )


def _suspects(
    kind: str, totals: pl.DataFrame, of_items: pl.DataFrame, items: pl.DataFrame, events: int
) -> Iterable[Suspect]:
    many = totals.filter(pl.col("day") >= LEAST_EVENTS)
    if many.is_empty():
        return
    shares = (
        of_items.join(items.select("item_id", pl.col("day").alias("of_item")), on="item_id")
        .filter(pl.col("of_item") >= LEAST_OF_ITEM)
        .with_columns((pl.col("day") / pl.col("of_item")).alias("share"))
        .sort("share", "day", descending=True)
        .unique([kind], keep="first", maintain_order=True)
        .select(kind, "share", pl.col("item_id"), pl.col("day").alias("item_events"))
    )
    for row in many.join(shares, on=kind, how="left").iter_rows(named=True):
        site_share, item_share = row["day"] / events, row["share"] or 0.0
        if site_share < SITE_SHARE and item_share < ITEM_SHARE:
            continue
        yield Suspect(
            network=row[kind] if kind == "network" else None,
            user_key=row[kind] if kind == "user_key" else "",
            hour=row["hour"],
            day=row["day"],
            site_share=site_share,
            item_id=row["item_id"] or "",
            item_share=item_share,
            item_events=row["item_events"] or 0,
        )
