"""From rows of interactions, or bare lists of items, to a ``SessionLog``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.money import OTHER_EXPONENT, exponent_of
from recommendations.training.data.dataset import KINDS, SESSION_GAP_MS, InvalidDataset, SessionLog, offsets_of
from recommendations.training.fitted import IndexArray

PIECE = 1 << 20  # rows, or sessions, that are moved at a time


def log_from_frame(frame: pl.DataFrame) -> SessionLog:
    """Build a log from rows of interactions in any order.

    Parameters
    ----------
    frame : columns item_id, occurred_at_ms (int), kind (view, cart, purchase), and session_id, user_key or both
        ``price`` (of a piece, in the main unit), ``currency``, ``quantity`` and ``position`` (of the click in a list)
        are read where there are such columns; a price without a currency has two decimals. Without ``session_id``, a
        user's session ends after 30 minutes without an interaction. Rows at the same millisecond of a session keep
        the order of the frame.

    Raises
    ------
    InvalidDataset
        A column is missing, a kind is unknown, or there is no row.
    """
    for column in ("item_id", "occurred_at_ms", "kind"):
        if column not in frame.columns:
            raise InvalidDataset(f"The log has no column {column!r}, only {frame.columns}; rename or add it.")
    if "session_id" not in frame.columns and "user_key" not in frame.columns:
        raise InvalidDataset("The log has neither 'session_id' nor 'user_key': nothing says who acted; add one.")
    if frame.is_empty():
        raise InvalidDataset("The log holds no interaction; import events first.")
    unknown = frame.filter(~pl.col("kind").is_in(list(KINDS)))
    if not unknown.is_empty():
        value = unknown["kind"][0]
        raise InvalidDataset(f"kind={value!r} is none of {', '.join(KINDS)}; map it before training.")

    vocabulary = [item_id for item_id in frame["item_id"].unique().sort().to_list() if item_id]
    codes = range(1, len(vocabulary) + 1)
    columns: dict[str, NDArray[Any]] = {
        "items": frame["item_id"].replace_strict(vocabulary, codes, return_dtype=pl.Int32).to_numpy(),
        "kinds": frame["kind"].replace_strict(KINDS, return_dtype=pl.UInt8).to_numpy(),
        "occurred_at_ms": frame["occurred_at_ms"].cast(pl.Int64).to_numpy(),
        **_optional_columns(frame),
    }
    if "user_key" in frame.columns:
        columns["users"] = frame["user_key"].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    if "session_id" in frame.columns:
        columns["sessions"] = frame["session_id"].rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
    return log_from_columns(("", *vocabulary), columns)


def log_from_columns(item_ids: tuple[str, ...], columns: dict[str, NDArray[Any]]) -> SessionLog:
    """Build a log from one row an interaction, in any order; ``columns`` is emptied, to hold no row twice.

    Memory: a third of the columns again, and 20 bytes a row while they are sorted.

    Parameters
    ----------
    columns : arrays by name
        ``items``, ``kinds``, ``occurred_at_ms``, and the optional ones of ``SessionLog``. ``users`` and ``sessions``
        are numbers of any kind, of which one may be missing; a negative user is nobody. Without ``sessions``, a
        user's session ends after 30 minutes without an interaction.
    """
    at_ms, users = columns["occurred_at_ms"], columns.pop("users", None)
    keys = columns.pop("sessions", None)
    is_new, order = _visits(users, at_ms) if keys is None else _groups(keys, at_ms)
    del keys
    starts = np.flatnonzero(is_new)
    del is_new
    lengths = np.diff(np.append(starts, len(order)))
    first_rows = np.minimum.reduceat(order, starts)
    by_end = np.lexsort((first_rows, at_ms[order[starts + lengths - 1]]))
    numbers = np.full(len(starts), -1, np.int32) if users is None else _numbers(users, order, starts)[by_end]
    del users, at_ms, first_rows
    starts, lengths = starts[by_end], lengths[by_end]
    offsets = offsets_of(lengths)
    chosen = np.empty(len(order), np.uint32)
    for first in range(0, len(starts), PIECE):
        part = slice(first, first + PIECE)
        filled = slice(int(offsets[first]), int(offsets[min(first + PIECE, len(starts))]))
        chosen[filled] = order[
            np.arange(filled.start, filled.stop) + np.repeat((starts - offsets[:-1])[part], lengths[part])
        ]
    del order
    gathered: dict[str, Any] = {}
    for name in list(columns):
        column = columns.pop(name)
        gathered[name] = np.empty_like(column)
        for row in range(0, len(column), PIECE):
            gathered[name][row : row + PIECE] = column[chosen[row : row + PIECE]]
        del column
    return SessionLog(item_ids=item_ids, offsets=offsets, users=numbers, **gathered)


def _groups(keys: NDArray[Any], at_ms: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which rows begin a session once sorted, and the order that sorts them by session, time and row."""
    in_time = bool((at_ms[1:] >= at_ms[:-1]).all())
    order = np.argsort(keys, kind="stable") if in_time else np.lexsort((at_ms, keys))
    keys = keys[order]
    return np.append(True, keys[1:] != keys[:-1]), order


def _visits(users: NDArray[Any] | None, at_ms: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Do the same for rows without sessions: quiet time ends one."""
    assert users is not None  # one of the two is there
    is_new, order = _groups(users, at_ms)
    at_ms = at_ms[order]
    is_new[1:] |= np.diff(at_ms) > SESSION_GAP_MS
    return is_new, order


def _numbers(users: NDArray[Any], order: NDArray[np.int64], starts: NDArray[np.int64]) -> IndexArray:
    """Return a dense number of the first user that each session names; -1 where it names none."""
    first = users[order[starts]]
    if users.dtype.kind == "i" and (first < 0).any():
        named = np.flatnonzero(users[order] >= 0)
        filled = np.searchsorted(named, starts)
        ends = np.append(starts[1:], len(order))
        found = np.append(named, len(order))[filled]
        first = np.where(found < ends, users[order[np.minimum(found, len(order) - 1)]], -1)
    known = first >= 0
    numbers = np.full(len(first), -1, np.int32)
    numbers[known] = np.unique(first[known], return_inverse=True)[1]
    return numbers


def _optional_columns(frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    if "price" in frame.columns:
        prices = frame["price"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        pieces = frame["quantity"].fill_null(1).to_numpy() if "quantity" in frame.columns else np.ones(len(frame))
        paid = np.where((frame["kind"] == "purchase").to_numpy(), np.nan_to_num(prices) * pieces, 0.0)
        minor = np.full(len(frame), 10.0**OTHER_EXPONENT)
        if "currency" in frame.columns:
            minor = np.array([10.0 ** exponent_of(code or "") for code in frame["currency"].to_list()])
        found = {"prices": prices.astype(np.float32), "amounts": np.rint(paid * minor).astype(np.int64)}
    if "position" in frame.columns:
        positions = frame["position"].fill_null(-1).clip(-1, np.iinfo(np.int16).max)
        found["positions"] = positions.to_numpy().astype(np.int16)
    return found


def log_from_sessions(sessions: Iterable[list[str]]) -> SessionLog:
    """Build a log from bare lists of item ids, oldest session first; every interaction is a view."""
    kept = [session for session in sessions if session]
    if not kept:
        raise InvalidDataset("The log holds no session; expected one JSON list of item ids a line.")
    lengths = np.array([len(session) for session in kept], np.int64)
    ids = [item_id for session in kept for item_id in session]
    vocabulary = sorted(set(ids))
    index_of = {item_id: index for index, item_id in enumerate(vocabulary, start=1)}
    return SessionLog(
        item_ids=("", *vocabulary),
        items=np.array([index_of[item_id] for item_id in ids], np.int32),
        kinds=np.zeros(len(ids), np.uint8),
        occurred_at_ms=np.repeat(np.arange(len(kept), dtype=np.int64), lengths),
        offsets=offsets_of(lengths),
        users=np.full(len(kept), -1, np.int32),
        has_times=False,
    )
