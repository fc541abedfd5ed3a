"""Logs of every kind we can read, as one ``SessionLog``: the archive, session files, RetailRocket, Online Retail."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import polars as pl

from features.archive import ArchiveFolder
from features.archive_upkeep import iter_days
from recommendations.training.dataset import InvalidDataset, SessionLog, log_from_frame, log_from_sessions
from recommendations.training.label_weights import Impressions

ARCHIVE_KINDS = {"view_item": "view", "add_to_wishlist": "view", "add_to_cart": "cart", "purchase": "purchase"}
CLICK_TO_VIEW_MS = 60_000
"""A view within this time of a click on the item in a list is taken to have come from it."""

MAX_POSITION = 32_767
IMPRESSION_COLUMNS = {"item_id": pl.String, "position": pl.Int32, "shown": pl.Int64, "clicked": pl.Int64}
RETAILROCKET_KINDS = {"view": "view", "addtocart": "cart", "transaction": "purchase"}
ONLINE_RETAIL_ITEM = r"^\d{5}[A-Za-z]{0,2}$"  # POST, M, DOT, BANK CHARGES … are services, not items
MAX_LINE_BYTES = 1 << 20


def read_sessions_jsonl(path: Path) -> SessionLog:
    """Read one JSON list of item ids a line, oldest session first; ``.gz`` is unpacked while it is read."""
    return log_from_sessions(_session_lines(path))


def read_test_points_jsonl(path: Path) -> list[tuple[list[str], str]]:
    """Read one ``{"prefix": […], "target": id}`` a line.

    Raises
    ------
    InvalidDataset
        A line is not of this form; the message names the line.
    """
    points = []
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            point = _decoded(path, number, line)
            prefix = _ids(point.get("prefix")) if isinstance(point, dict) else None
            target = point.get("target") if isinstance(point, dict) else None
            if prefix is None or not isinstance(target, str | int):
                raise InvalidDataset(f'{path}, line {number}: expected {{"prefix": [ids], "target": id}}.')
            points.append((prefix, str(target)))
    if not points:
        raise InvalidDataset(f"{path} holds no test point.")
    return points


def read_archive(url: str | Path, *, site: str, since_ms: int | None = None, until_ms: int | None = None) -> SessionLog:
    """Read a site's archived interactions, point in time; bots and re-sends are left out, identities are merged.

    Reads a day at a time. Memory: one day, and some 300 bytes an interaction at the peak.

    Parameters
    ----------
    url : str or Path
        ``RECSITE_ARCHIVE_URL``.
    since_ms, until_ms : int or None
        Event times from (included) and to (excluded).

    Raises
    ------
    InvalidDataset
        The archive holds no view, cart or purchase of this site in that time.
    """
    days, owners = [], []
    for _, table in iter_days(ArchiveFolder(str(url)), site=site):
        day = cast("pl.DataFrame", pl.from_arrow(table)).filter(
            pl.col("event").is_in([*ARCHIVE_KINDS, "select_item"]) & pl.col("item_id").is_not_null()
        )
        owners.append(_owners(day))
        day = day.filter(~pl.col("bot") & (pl.col("occurred_at_ms") >= (since_ms if since_ms is not None else 0)))
        if until_ms is not None:
            day = day.filter(pl.col("occurred_at_ms") < until_ms)
        days.append(_compact(_with_clicks(day.sort("occurred_at_ms", "event_id", "row"))))
    frame = pl.concat(days) if days else pl.DataFrame()
    days.clear()
    if frame.is_empty():
        raise InvalidDataset(f"The archive {url} holds no view, cart or purchase of {site!r} in that time.")
    owner_of = (
        pl.concat(owners)
        .group_by("anonymous_id")
        .agg(pl.col("user_id").sort_by("occurred_at_ms").last())
        .select("anonymous_id", pl.format("u:{}", "user_id").cast(pl.Categorical).alias("owner"))
    )
    named = pl.col("user_key")
    frame = frame.join(owner_of, on="anonymous_id", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("is_anonymous") & pl.col("owner").is_not_null()).then("owner").otherwise(named).alias("user_key")
    )
    frame = frame.drop("anonymous_id", "owner", "is_anonymous")
    if frame["session_id"].null_count():
        frame = frame.drop("session_id")  # some clients name no session: thirty quiet minutes end one, for all alike
    else:  # a number of shopper and session: only whether two are the same matters
        frame = frame.with_columns(pl.struct("user_key", "session_id").hash(seed=0).alias("session_id"))
    return log_from_frame(frame)


def _owners(day: pl.DataFrame) -> pl.DataFrame:
    """Return which user each anonymous id came to belong to on this day."""
    return (
        day.filter(pl.col("user_id").is_not_null() & pl.col("anonymous_id").is_not_null())
        .group_by("anonymous_id")
        .agg(pl.col("user_id").sort_by("occurred_at_ms").last(), pl.col("occurred_at_ms").max())
        .with_columns(pl.col("anonymous_id").cast(pl.Categorical))
    )


def _compact(events: pl.DataFrame) -> pl.DataFrame:
    """Return what training reads, some 45 bytes a row: words as numbers of one vocabulary of the process."""
    words = ("user_key", "anonymous_id", "session_id", "item_id")
    return events.select(
        *(pl.col(name).cast(pl.Categorical) for name in words),
        pl.col("user_id").is_null().alias("is_anonymous"),
        pl.col("event").replace_strict(ARCHIVE_KINDS, return_dtype=pl.String).cast(pl.Categorical).alias("kind"),
        "occurred_at_ms",
        "price",
        "quantity",
        pl.col("position").cast(pl.Int16),
    )


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


def read_impressions(
    url: str | Path, *, site: str, since_ms: int | None = None, until_ms: int | None = None
) -> Impressions:
    """Return how often each item was shown and clicked at each place of lists; bots and re-sends are left out.

    Reads a day at a time; memory: one day, and one row a pair of item and place.
    """
    totals = pl.DataFrame(schema=IMPRESSION_COLUMNS)
    for _, table in iter_days(ArchiveFolder(str(url)), site=site):
        day = cast("pl.DataFrame", pl.from_arrow(table)).filter(
            pl.col("event").is_in(["view_item_list", "select_item"])
            & pl.col("item_id").is_not_null()
            & (pl.col("position") >= 0)
            & ~pl.col("bot")
            & (pl.col("occurred_at_ms") >= (since_ms if since_ms is not None else 0))
        )
        if until_ms is not None:
            day = day.filter(pl.col("occurred_at_ms") < until_ms)
        counted = day.group_by("item_id", "position").agg(
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


def read_retailrocket_events(path: Path) -> SessionLog:
    """Read RetailRocket's ``events.csv`` (``timestamp`` in Unix seconds, ``visitorid``, ``event``, ``itemid``)."""
    frame = pl.read_csv(path, columns=["timestamp", "visitorid", "event", "itemid"])
    unknown = frame.filter(~pl.col("event").is_in(list(RETAILROCKET_KINDS)))
    if not unknown.is_empty():
        raise InvalidDataset(f"{path}: event={unknown['event'][0]!r} is none of {', '.join(RETAILROCKET_KINDS)}.")
    return log_from_frame(
        frame.select(
            pl.col("visitorid").cast(pl.String).alias("user_key"),
            pl.col("itemid").cast(pl.String).alias("item_id"),
            pl.col("event").replace_strict(RETAILROCKET_KINDS, return_dtype=pl.String).alias("kind"),
            (pl.col("timestamp") * 1000).alias("occurred_at_ms"),
        )
    )


def read_online_retail(path: Path) -> SessionLog:
    """Read UCI Online Retail (Parquet); an invoice is a session of purchases, cancellations and services left out."""
    frame = pl.read_parquet(
        path, columns=["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
    )
    bought = frame.filter(
        ~pl.col("InvoiceNo").cast(pl.String).str.starts_with("C")
        & (pl.col("Quantity") > 0)
        & (pl.col("UnitPrice") > 0)
        & pl.col("StockCode").cast(pl.String).str.contains(ONLINE_RETAIL_ITEM)
    )
    moment = pl.col("InvoiceDate")
    if frame.schema["InvoiceDate"] == pl.String:
        moment = moment.str.to_datetime()
    return log_from_frame(
        bought.select(
            pl.col("InvoiceNo").cast(pl.String).alias("session_id"),
            pl.col("CustomerID").cast(pl.String).alias("user_key"),
            pl.col("StockCode").cast(pl.String).str.to_uppercase().alias("item_id"),
            pl.lit("purchase").alias("kind"),
            pl.col("UnitPrice").alias("price"),
            pl.col("Quantity").alias("quantity"),
            moment.cast(pl.Datetime("ms")).dt.epoch("ms").alias("occurred_at_ms"),
        )
    )


def _session_lines(path: Path) -> Iterator[list[str]]:
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            session = _decoded(path, number, line)
            ids = _ids(session)
            if ids is None:
                raise InvalidDataset(f"{path}, line {number}: expected a JSON list of item ids, oldest first.")
            yield ids


def _decoded(path: Path, number: int, line: str) -> object:
    if len(line) > MAX_LINE_BYTES:
        raise InvalidDataset(f"{path}, line {number} is longer than {MAX_LINE_BYTES} bytes; write one session a line.")
    try:
        return json.loads(line)
    except ValueError as error:
        raise InvalidDataset(f"{path}, line {number} is not JSON: {error}.") from error


def _ids(value: object) -> list[str] | None:
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        return [str(item) for item in value]
    return None


def _opened(path: Path) -> IO[str]:
    if not path.is_file():
        raise InvalidDataset(f"{path} is not a file.")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")
