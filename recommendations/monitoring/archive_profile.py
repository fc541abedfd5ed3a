"""What users did in some span of time, read from the archive one day at a time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, cast

from features.archive.maintenance import read_table
from features.archive.rows import ONCE
from features.archive.writer import ArchiveFolder
from recommendations.monitoring import drift
from recommendations.monitoring.drift import Profile
from tracking.contract.events import INTERACTIONS
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

DAY_MS: Final = 86_400_000
MAX_ROWS: Final = 1_000_000
"""Rows that are read of a day at most, whole files, newest first: shares do not need every user."""
SAMPLED_SESSIONS: Final = 300
MAX_NAMED_ITEMS: Final = 5_000
_COLUMNS: Final = ("user_key", "session_id", "event_id", "row", "event", "item_id", "price", "occurred_at_ms", "bot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One span of 24 hours.

    Attributes
    ----------
    item_events : mapping of item id to its interactions
    sessions : sequence of item ids, oldest first
        Some of the sessions, evenly spread.
    """

    profile: Profile = field(default_factory=Profile)
    item_events: Mapping[str, int] = field(default_factory=dict)
    sessions: Sequence[tuple[str, ...]] = ()


Value = TypeVar("Value")
CategoriesOf = Callable[[Sequence[str]], Mapping[str, str]]
"""Return the categories of items by id; items without one may be left out."""


def days_before(url: str, *, site: str, until_ms: int, days: int, categories_of: CategoriesOf) -> Iterator[Day]:
    """Yield the spans of 24 hours that end at ``until_ms``, newest first; memory: ``MAX_ROWS`` rows."""
    folder = ArchiveFolder(url)
    for number in range(days):
        end_ms = until_ms - number * DAY_MS
        yield day_of(_read(folder, site=site, from_ms=end_ms - DAY_MS, until_ms=end_ms), categories_of=categories_of)


def day_of(frame: pl.DataFrame, *, categories_of: CategoriesOf) -> Day:
    """Return the profile of one day's interactions, in any order.

    Parameters
    ----------
    frame : columns user_key, session_id, event, item_id, price, occurred_at_ms
    """
    if frame.is_empty():
        return Day()
    frame = frame.with_columns(
        pl.concat_str("user_key", pl.col("session_id").fill_null(""), separator="|").alias("visit")
    ).sort("occurred_at_ms", maintain_order=True)
    visits = frame.group_by("visit", maintain_order=True).agg(pl.col("item_id"))
    pauses = frame.select(pl.col("occurred_at_ms").diff().over("user_key").alias("pause"))["pause"]
    item_events = dict(frame.group_by("item_id").len().iter_rows())
    counts = {
        "session_length": _histogram(visits["item_id"].list.len().to_list(), drift.length_bin),
        "recency": _histogram(pauses.to_list(), drift.pause_bin),
        "price": _histogram(frame["price"].to_list(), drift.price_bin),
        "kind": dict(frame.group_by("event").len().iter_rows()),
        "category": _categories(item_events, categories_of),
    }
    chosen = visits.gather_every(max(len(visits) // SAMPLED_SESSIONS, 1)).head(SAMPLED_SESSIONS)
    return Day(
        profile=Profile(sessions=len(visits), events=len(frame), counts=counts),
        item_events=item_events,
        sessions=[tuple(items) for items in chosen["item_id"].to_list()],
    )


def _categories(item_events: Mapping[str, int], categories_of: CategoriesOf) -> dict[str, int]:
    """Count interactions by the top category of the items that got most of them."""
    named = sorted(item_events, key=lambda item: (-item_events[item], item))[:MAX_NAMED_ITEMS]
    paths = categories_of(named)
    counts: Counter[str] = Counter()
    for item in named:
        counts[paths.get(item, "").partition(" > ")[0] or "none"] += item_events[item]
    return dict(counts)


def _histogram(values: Sequence[Value], bin_of: Callable[[Value], str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for value, count in Counter(values).items():
        found[bin_of(value)] += count
    return dict(found)


def _read(folder: ArchiveFolder, *, site: str, from_ms: int, until_ms: int) -> pl.DataFrame:
    dates = {
        dt.datetime.fromtimestamp(ms / 1000, dt.UTC).date().isoformat() for ms in (from_ms, until_ms - 1)
    }  # a span of 24 hours touches two days at most
    frames: list[pl.DataFrame] = []
    n_rows = 0
    for date in sorted(dates, reverse=True):
        for path in reversed(folder.files(site=site, date=date)):
            if n_rows >= MAX_ROWS:
                break
            try:
                table = read_table(folder, path, columns=_COLUMNS)
            except FileNotFoundError:  # joined with its neighbours, or erased, since it was listed
                continue
            n_rows += table.num_rows
            frames.append(
                cast("pl.DataFrame", pl.from_arrow(table)).filter(
                    pl.col("event").is_in(list(INTERACTIONS))
                    & pl.col("item_id").is_not_null()
                    & ~pl.col("bot")
                    & (pl.col("occurred_at_ms") >= from_ms)
                    & (pl.col("occurred_at_ms") < until_ms)
                )
            )
    if not frames:
        return pl.DataFrame()
    return pl.concat(frames).unique(list(ONCE), keep="first", maintain_order=True)
