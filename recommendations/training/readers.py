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
from features.archive_upkeep import iter_days, read_interactions
from recommendations.training.dataset import InvalidDataset, SessionLog, log_from_frame, log_from_sessions
from recommendations.training.label_weights import Impressions

ARCHIVE_KINDS = {"view_item": "view", "add_to_wishlist": "view", "add_to_cart": "cart", "purchase": "purchase"}
CLICK_TO_VIEW_MS = 60_000
"""A view within this time of a click on the item in a list is taken to have come from it."""

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
    events = read_interactions(str(url), site=site, since_ms=since_ms, until_ms=until_ms)
    events = events.filter(pl.col("event").is_in([*ARCHIVE_KINDS, "select_item"]))
    if not events["event"].is_in(list(ARCHIVE_KINDS)).any():
        raise InvalidDataset(f"The archive {url} holds no view, cart or purchase of {site!r} in that time.")
    frame = _with_clicks(events).select(
        pl.col("shopper").alias("user_key"),
        pl.concat_str("shopper", "session_id", separator="|").alias("session_id"),
        "item_id",
        pl.col("event").replace_strict(ARCHIVE_KINDS, return_dtype=pl.String).alias("kind"),
        "occurred_at_ms",
        "price",
        "quantity",
        "position",
    )
    if frame["session_id"].null_count():
        frame = frame.drop("session_id")  # some clients name no session: thirty quiet minutes end one, for all alike
    return log_from_frame(frame)


def _with_clicks(events: pl.DataFrame) -> pl.DataFrame:
    """Return views, carts and purchases; a view that follows a click in a list has the position of that click."""
    clicks = (
        events.filter((pl.col("event") == "select_item") & pl.col("position").is_not_null())
        .select("shopper", "item_id", "occurred_at_ms", pl.col("position").alias("clicked_at"))
        .sort("occurred_at_ms")
    )
    kept = events.filter(pl.col("event").is_in(list(ARCHIVE_KINDS)))
    joined = kept.sort("occurred_at_ms", maintain_order=True).join_asof(
        clicks,
        on="occurred_at_ms",
        by=["shopper", "item_id"],
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
        positions=totals["position"].clip(0, np.iinfo(np.int16).max).to_numpy().astype(np.int16),
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
