"""A site's archive as one ``SessionLog``, and as counts of impressions: a day at a time, newest first."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.archive.rows import ONCE
from features.archive.writer import ArchiveFolder
from features.definitions import JOINS_A_DAY
from features.money import MAX_ORDER_MINOR, SiteMoney, exponent_of
from features.state.handlers import ADD_TO_CART, PURCHASE, SELECT, VIEW, WISH
from recommendations.training.data.building import PIECE, log_from_columns
from recommendations.training.data.dataset import KINDS, InvalidDataset, SessionLog
from recommendations.training.data.label_weights import Impressions
from recommendations.training.data.voices import without_surplus
from recommendations.training.settings import Progress, no_progress
from tracking.contract.user_key import ANONYMOUS_PREFIX, USER_PREFIX

ARCHIVE_KINDS = {"view_item": "view", "add_to_wishlist": "view", "add_to_cart": "cart", "purchase": "purchase"}
REFUND = "refund"
STEP_LETTERS = {
    "view_item": VIEW,
    "add_to_wishlist": WISH,
    "add_to_cart": ADD_TO_CART,
    "purchase": PURCHASE,
    "select_item": SELECT,
}
"""Of what happened in one millisecond, the order is that of these and then of item ids, as a user's state has it."""
_EUROS = SiteMoney("EUR")
CLICK_TO_VIEW_MS = 60_000
"""A view within this time of a click on the item in a list is taken to have come from it."""

MAX_POSITION = 32_767
BATCH_ROWS = 1 << 17
IMPRESSION_COLUMNS = {"item_id": pl.String, "position": pl.Int32, "shown": pl.Int64, "clicked": pl.Int64}
_READ = (
    *("user_key", "anonymous_id", "user_id", "session_id", "event_id", "row", "event", "item_id", "quantity", "price"),
    *("occurred_at_ms", "received_at_ms", "position", "bot", "transaction_id", "source", "currency", "network"),
)
_KIND_CODES = {event: KINDS[kind] for event, kind in ARCHIVE_KINDS.items()}
_MIX = np.uint64(0x9E3779B97F4A7C15)


def read_archive(
    url: str | Path,
    *,
    site: str,
    since_ms: int | None = None,
    until_ms: int | None = None,
    max_interactions: int | None = None,
    money: SiteMoney = _EUROS,
    progress: Progress = no_progress,
) -> SessionLog:
    """Read a site's archived interactions, point in time; bots and re-sends are left out, identities are merged.

    Of a network's anonymous visitors of an item and day, as many are read as ``training.data.voices`` allows.

    Memory: one day's interactions as they stand in the archive, and some 80 bytes an interaction at the peak
    (``python -m benchmarks.training_scale``). Users and sessions are known by 64 bits of a hash: of ten
    million, two are taken for one with a chance of three in a million.

    Parameters
    ----------
    url : str or Path
        ``RECSITE_ARCHIVE_URL``.
    since_ms, until_ms : int or None
        Event times from (included) and to (excluded).
    max_interactions : int or None
        Whole days are read, the newest first, until there are so many; who is who is then known from those days.
    money : SiteMoney
        What amounts are counted in: minor units of the site's currency, as ``features.money`` reckons them. Of an
        amount that no rate converts nothing is counted. What was refunded of a line, or of its whole order, is not
        counted either, whenever that was: the archive says how an order ended.

    Raises
    ------
    InvalidDataset
        The archive holds no view, cart or purchase of this site in that time.
    """
    days: list[dict[str, NDArray[Any]]] = []
    order_lines: list[pl.DataFrame] = []
    refunds: list[pl.DataFrame] = []
    owners: list[pl.DataFrame] = []
    number_of: dict[str, int] = {}
    n_rows = 0
    names_sessions = True
    for day in _days(url, site=site, events=[*ARCHIVE_KINDS, "select_item", REFUND], progress=progress):
        refunds.append(_refunds(day))
        day = day.filter(pl.col("item_id").is_not_null() & (pl.col("event") != REFUND))
        owners.append(_owners(day))
        day = _between(day.filter(~pl.col("bot")), since_ms, until_ms)
        day = without_surplus(_with_clicks(_in_order(day)))
        if day.is_empty():
            continue
        names_sessions &= not day["session_id"].null_count()
        order_lines.append(_order_lines(day, first_row=-n_rows - len(day)))
        days.append(_columns(day, number_of, money))
        n_rows += len(day)
        if max_interactions is not None and n_rows >= max_interactions:
            break
    if not n_rows:
        raise InvalidDataset(f"The archive {url} holds no view, cart or purchase of {site!r} in that time.")
    days.reverse()
    columns = {name: np.concatenate([day.pop(name) for day in days]) for name in list(days[0])}
    lines = pl.concat(order_lines)
    _take_refunds(columns["amounts"], lines, pl.concat(refunds))
    again = _reported_again(lines) + n_rows
    if len(again):
        columns = {name: np.delete(column, again) for name, column in columns.items()}
        n_rows -= len(again)
    _merge(columns["users"], pl.concat(owners))
    if names_sessions:  # whether two are the same is all that matters
        for start in range(0, n_rows, PIECE):
            part = slice(start, start + PIECE)
            columns["sessions"][part] += columns["users"][part] * _MIX
    else:  # some clients name no session: thirty quiet minutes end one, for all alike
        del columns["sessions"]
    log = log_from_columns(_sorted_vocabulary(number_of, columns["items"]), columns)
    return replace(log, decimals=exponent_of(money.currency))


def read_impressions(
    url: str | Path, *, site: str, since_ms: int | None = None, until_ms: int | None = None
) -> Impressions:
    """Return how often each item was shown and clicked at each position of lists; bots and re-sends are left out.

    Reads a day at a time; memory: one day, and one row a pair of item and position.
    """
    totals = pl.DataFrame(schema=IMPRESSION_COLUMNS)
    for day in _days(url, site=site, events=["view_item_list", "select_item"]):
        chosen = _between(day.filter((pl.col("position") >= 0) & ~pl.col("bot")), since_ms, until_ms)
        counted = chosen.group_by("item_id", "position").agg(
            (pl.col("event") == "view_item_list").sum().cast(pl.Int64).alias("shown"),
            (pl.col("event") == "select_item").sum().cast(pl.Int64).alias("clicked"),
        )
        totals = pl.concat([totals, counted]).group_by("item_id", "position").agg(pl.col("shown", "clicked").sum())
    totals = totals.filter(pl.col("shown") > 0).sort("item_id", "position")
    return Impressions(
        items=(totals["item_id"].rank("dense").cast(pl.Int32) - 1).to_numpy().astype(np.int32),
        positions=totals["position"].clip(0, MAX_POSITION).to_numpy().astype(np.int16),
        shown=totals["shown"].to_numpy(),
        clicked=totals["clicked"].to_numpy(),
    )


def _days(
    url: str | Path, *, site: str, events: Sequence[str], progress: Progress = no_progress
) -> Iterator[pl.DataFrame]:
    """Yield each day's rows of these events that name an item, each once, newest day first.

    Other rows and columns are left out while files are read: lists that were shown are most of an archive.
    """
    folder = ArchiveFolder(str(url))
    by_day: dict[str, list[str]] = defaultdict(list)
    for path in folder.files(site=site):
        by_day[posixpath.dirname(path)].append(path)
    names_item = pl.col("item_id").is_not_null() | (pl.col("event") == REFUND)  # which may be of a whole order
    wanted = pl.col("event").is_in(list(events)) & names_item
    for done, day in enumerate(sorted(by_day, reverse=True)):
        progress("read the archive", done, len(by_day))
        frames: list[pl.DataFrame] = []
        for path in by_day[day]:
            with folder.fs.open(path, "rb") as file:
                for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=list(_READ)):
                    frame = cast("pl.DataFrame", pl.from_arrow(batch)).filter(wanted)
                    if "network" not in frame.columns:  # an older version wrote it
                        frame = frame.with_columns(pl.lit(None, pl.Int64).alias("network"))
                    frames.append(frame.select(_READ))
        yield (
            pl.concat(frames)
            .sort("received_at_ms", maintain_order=True)
            .unique(list(ONCE), keep="first", maintain_order=True)
        )
    progress("read the archive", len(by_day), len(by_day))


def _between(day: pl.DataFrame, since_ms: int | None, until_ms: int | None) -> pl.DataFrame:
    at = pl.col("occurred_at_ms")
    day = day if since_ms is None else day.filter(at >= since_ms)
    return day if until_ms is None else day.filter(at < until_ms)


def _in_order(day: pl.DataFrame) -> pl.DataFrame:
    """Sort by time, and within a millisecond as the state of a user does."""
    letter = pl.col("event").replace_strict(STEP_LETTERS, return_dtype=pl.String)
    return day.sort(pl.col("occurred_at_ms"), letter, "item_id", "event_id", "row")


def _with_clicks(events: pl.DataFrame) -> pl.DataFrame:
    """Return views, carts and purchases; a view that follows a click in a list has the position of that click."""
    clicks = (
        events.filter((pl.col("event") == "select_item") & pl.col("position").is_not_null())
        .select("user_key", "item_id", "occurred_at_ms", pl.col("position").clip(-1, MAX_POSITION).alias("clicked_at"))
        .sort("occurred_at_ms", maintain_order=True)
    )
    kept = events.filter(pl.col("event").is_in(list(ARCHIVE_KINDS))).drop("position")
    if clicks.is_empty() or kept.is_empty():
        return kept.with_columns(pl.lit(None, pl.Int32).alias("position"))
    joined = kept.join_asof(
        clicks,
        on="occurred_at_ms",
        by=["user_key", "item_id"],
        strategy="backward",
        tolerance=CLICK_TO_VIEW_MS,
        check_sortedness=False,
    )
    is_view = pl.col("event") == "view_item"
    return joined.with_columns(pl.when(is_view).then(pl.col("clicked_at")).otherwise(None).alias("position"))


def _columns(day: pl.DataFrame, number_of: dict[str, int], money: SiteMoney) -> dict[str, NDArray[Any]]:
    """Return what training reads of a day, 43 bytes a row; items get numbers in ``number_of``, from 1 on."""
    items = day["item_id"].unique()
    numbers = [number_of.setdefault(item_id, len(number_of) + 1) for item_id in items.to_list()]
    paid = pl.when(pl.col("event") == "purchase").then(pl.col("price").fill_nan(None) * pl.col("quantity").fill_null(1))
    found = day.select(
        pl.col("item_id").replace_strict(items, numbers, return_dtype=pl.Int32).alias("items"),
        pl.col("event").replace_strict(_KIND_CODES, return_dtype=pl.UInt8).alias("kinds"),
        pl.col("occurred_at_ms"),
        pl.col("price").cast(pl.Float32).fill_null(float("nan")).alias("prices"),
        (paid.fill_null(0.0) * _minor_units(day, money))
        .clip(-MAX_ORDER_MINOR, MAX_ORDER_MINOR)
        .round()
        .cast(pl.Int64)
        .alias("amounts"),
        pl.col("position").fill_null(-1).clip(-1, MAX_POSITION).cast(pl.Int16).alias("positions"),
        pl.col("user_key").hash(seed=0).alias("users"),
        pl.col("session_id").hash(seed=0).alias("sessions"),
    )
    return {column.name: column.to_numpy().copy() for column in found}


def _minor_units(day: pl.DataFrame, money: SiteMoney) -> pl.Series:
    """Return what one main unit of each row's currency is worth in minor units of the site's; 0 without a rate."""
    at_ms = int(cast("int", day["occurred_at_ms"].max()))  # a frame is one day, and so is a rate
    worth: dict[str | None, float] = {}
    for currency in day["currency"].unique().to_list():
        factor = money.factor(currency, at_ms)
        worth[currency] = (factor or 0.0) * 10.0 ** exponent_of(money.currency_of(currency))
    return day["currency"].replace_strict(list(worth), list(worth.values()), return_dtype=pl.Float64)


def _refunds(day: pl.DataFrame) -> pl.DataFrame:
    """Return what was refunded on a day: the order, its line (null for all of it), and how many pieces."""
    return day.filter((pl.col("event") == REFUND) & pl.col("transaction_id").is_not_null() & ~pl.col("bot")).select(
        pl.col("transaction_id").hash(seed=0).alias("order"),
        pl.when(pl.col("item_id").is_not_null())
        .then(pl.struct("transaction_id", "item_id").hash(seed=0))
        .alias("line"),
        pl.col("quantity").fill_null(1).cast(pl.Int64).alias("pieces"),
    )


def _take_refunds(amounts: NDArray[np.int64], lines: pl.DataFrame, refunds: pl.DataFrame) -> None:
    """Take what was refunded from the amounts of lines, in place; nothing is refunded twice."""
    if refunds.is_empty() or lines.is_empty():
        return
    whole = refunds.filter(pl.col("line").is_null())["order"].unique()
    of_lines = refunds.drop_nulls("line").group_by("line").agg(pl.col("pieces").sum())
    left = lines.join(of_lines, on="line", how="left").select(
        "number",
        pl.when(pl.col("order").is_in(whole.to_list()))
        .then(0.0)
        .otherwise((1 - pl.col("pieces").fill_null(0) / pl.col("quantity")).clip(0.0, 1.0))
        .alias("kept"),
    )
    rows = left["number"].to_numpy() + len(amounts)
    amounts[rows] = np.rint(amounts[rows] * left["kept"].to_numpy()).astype(np.int64)


def _order_lines(day: pl.DataFrame, *, first_row: int) -> pl.DataFrame:
    """Return the day's items of orders: their rows, counted from the end of all days, and which report they are of."""
    return (
        day.with_row_index("number")
        .filter((pl.col("event") == "purchase") & pl.col("transaction_id").is_not_null())
        .select(
            (pl.col("number").cast(pl.Int64) + first_row).alias("number"),
            pl.struct("transaction_id", "item_id").hash(seed=0).alias("line"),
            pl.col("transaction_id").hash(seed=0).alias("order"),
            pl.col("quantity").fill_null(1).clip(1).cast(pl.Int64).alias("quantity"),
            pl.col("event_id").alias("report"),
            (pl.col("source") != "browser").fill_null(value=True).alias("is_elsewhere"),
            "occurred_at_ms",
        )
    )


def _reported_again(order_lines: pl.DataFrame) -> NDArray[np.int64]:
    """Return the rows of items of orders that another report holds already.

    Of several reports of an order, the shop's own page counts first, where the interactions before it are; then the
    earliest. What only a later report names stays.
    """
    best = order_lines.sort("is_elsewhere", "occurred_at_ms", "report").unique("line", keep="first")
    kept = order_lines.join(best.select("line", "report"), on=["line", "report"], how="semi")
    again: NDArray[np.int64] = order_lines.join(kept, on="number", how="anti")["number"].to_numpy()
    return again


def _owners(day: pl.DataFrame) -> pl.DataFrame:
    """Return which user each anonymous id came to belong to on this day, as hashes of their keys.

    Of a user who was seen under more than ``JOINS_A_DAY``, the first of them; the others stay users of their own.
    """
    rank = pl.struct("occurred_at_ms", "anonymous_id").rank("ordinal")
    return (
        day.filter(pl.col("user_id").is_not_null() & pl.col("anonymous_id").is_not_null())
        .group_by("anonymous_id")
        .agg(pl.col("user_id").sort_by("occurred_at_ms").last(), pl.col("occurred_at_ms").max())
        .filter(rank.over("user_id") <= JOINS_A_DAY)
        .select(
            pl.format(ANONYMOUS_PREFIX + "{}", "anonymous_id").hash(seed=0).alias("anonymous"),
            pl.format(USER_PREFIX + "{}", "user_id").hash(seed=0).alias("owner"),
            "occurred_at_ms",
        )
    )


def _merge(users: NDArray[np.uint64], owners: pl.DataFrame) -> None:
    """Put the user in place of each anonymous id that has come to belong to one."""
    newest = (
        owners.group_by("anonymous").agg(pl.col("owner").sort_by("occurred_at_ms", "owner").last()).sort("anonymous")
    )
    anonymous, owner = newest["anonymous"].to_numpy(), newest["owner"].to_numpy()
    if not len(anonymous):
        return
    for start in range(0, len(users), PIECE):
        part = users[start : start + PIECE]
        row = np.minimum(np.searchsorted(anonymous, part), len(anonymous) - 1)
        users[start : start + PIECE] = np.where(anonymous[row] == part, owner[row], part)


def _sorted_vocabulary(number_of: dict[str, int], items: NDArray[np.int32]) -> tuple[str, ...]:
    """Return the item ids in order, and give ``items`` their indices in it."""
    item_ids = sorted(number_of)
    index_of = np.zeros(len(item_ids) + 1, np.int32)
    index_of[[number_of[item_id] for item_id in item_ids]] = np.arange(1, len(item_ids) + 1)
    for start in range(0, len(items), PIECE):
        items[start : start + PIECE] = index_of[items[start : start + PIECE]]
    return ("", *item_ids)
