"""Logs in files, as one ``SessionLog``: session files, RetailRocket, Online Retail; ``archive.py`` reads our own."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from recommendations.training.data.building import log_from_frame, log_from_sessions
from recommendations.training.data.dataset import InvalidDataset, SessionLog

RETAILROCKET_KINDS = {"view": "view", "addtocart": "cart", "transaction": "purchase"}
ONLINE_RETAIL_ITEM = r"^\d{5}[A-Za-z]{0,2}$"  # POST, M, DOT, BANK CHARGES … are services, not items
MAX_LINE_BYTES = 1 << 20


def read_sessions_jsonl(path: Path) -> SessionLog:
    """Read one JSON list of item ids a line, oldest session first; ``.gz`` is unpacked, empty lines are skipped.

    Raises
    ------
    InvalidDataset
        The file cannot be read, or a line is not of this form; the message names the line.
    """
    sessions = [session for session in _session_lines(path) if session]
    if not sessions:
        raise InvalidDataset(f"{path} holds no session; expected one JSON list of item ids a line.")
    return log_from_sessions(sessions)


def read_test_points_jsonl(path: Path) -> list[tuple[list[str], str]]:
    """Read one ``{"prefix": […], "target": id}`` a line.

    Raises
    ------
    InvalidDataset
        A line is not of this form; the message names the line.
    """
    points = []
    for number, point in _lines(path):
        history = _ids(point.get("prefix")) if isinstance(point, dict) else None
        target = _ids([point.get("target")]) if isinstance(point, dict) else None
        if history is None or target is None:
            raise InvalidDataset(f'{path}, line {number}: expected {{"prefix": [ids], "target": id}}.')
        points.append((history, target[0]))
    if not points:
        raise InvalidDataset(f"{path} holds no test point.")
    return points


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
    for number, session in _lines(path):
        ids = _ids(session)
        if ids is None:
            raise InvalidDataset(f"{path}, line {number}: expected a JSON list of item ids, oldest first.")
        yield ids


def _lines(path: Path) -> Iterator[tuple[int, object]]:
    """Yield the number and the JSON value of each line that is not empty."""
    if not path.is_file():
        raise InvalidDataset(f"{path} is not a file.")
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise InvalidDataset(
                        f"{path}, line {number} is longer than {MAX_LINE_BYTES} characters; write one session a line."
                    )
                if line.strip():
                    yield number, _decoded(path, number, line)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InvalidDataset(f"{path} cannot be read after line {number}: {error}") from error


def _decoded(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidDataset(f"{path}, line {number} is not JSON: {error}.") from error


def _ids(value: object) -> list[str] | None:
    if isinstance(value, list) and all(isinstance(each, str | int) and not isinstance(each, bool) for each in value):
        return [str(each) for each in value]
    return None
