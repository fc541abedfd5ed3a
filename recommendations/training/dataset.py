"""Interactions as columns: sessions oldest first, items as indices into one vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from recommendations.exceptions import RecommendationError
from recommendations.training.fitted import DataRange, FloatArray, IndexArray

SESSION_GAP_MS = 30 * 60 * 1000
PIECE = 1 << 20  # rows, or sessions, that are moved at a time


class InvalidDataset(RecommendationError):
    """The log cannot be trained on; the message names what is wrong and what to do."""


class Kind(IntEnum):
    """What the user did; a greater number is nearer to the money."""

    VIEW = 0
    CART = 1
    PURCHASE = 2


KINDS = {kind.name.lower(): int(kind) for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLog:
    """Sessions in the order of their ends; within a session, interactions in the order of their times.

    Attributes
    ----------
    item_ids : tuple of str
        The vocabulary; entry 0 is the empty string, the padding row.
    items : int32, shape (n_interactions,)
        Item indices, never 0.
    kinds : uint8, shape (n_interactions,)
    occurred_at_ms : int64, shape (n_interactions,)
        Event times; where a log has none, an ordinal that rises by one a session.
    offsets : int64, shape (n_sessions + 1,)
        Session ``s`` is ``items[offsets[s]:offsets[s + 1]]``; none is empty.
    users : int32, shape (n_sessions,)
        Dense user numbers; -1 where the log names nobody.
    prices : float32, shape (n_interactions,), optional
        What one piece cost then, in the main unit; NaN where the log does not say.
    amounts : int64, shape (n_interactions,), optional
        What was paid, in hundredths; 0 for all but purchases.
    positions : int16, shape (n_interactions,), optional
        0-based slot of the list in which the item was clicked; -1 where no list led to the interaction.
    has_times : bool
        Whether ``occurred_at_ms`` are times; false for a log that knows the order alone.
    """

    item_ids: tuple[str, ...]
    items: IndexArray
    kinds: NDArray[np.uint8]
    occurred_at_ms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    users: IndexArray
    prices: FloatArray | None = None
    amounts: NDArray[np.int64] | None = None
    positions: NDArray[np.int16] | None = None
    has_times: bool = True

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_items(self) -> int:
        """Rows of the vocabulary, the padding row included."""
        return len(self.item_ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Interactions of each session; shape (n_sessions,)."""
        return np.diff(self.offsets)

    @property
    def session_of(self) -> IndexArray:
        """The session of each interaction; int32, shape (n_interactions,)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    @property
    def ended_at_ms(self) -> NDArray[np.int64]:
        """Event time of the last interaction of each session; rises."""
        return self.occurred_at_ms[self.offsets[1:] - 1]

    def counts(self) -> NDArray[np.int64]:
        """Interactions of each item; int64, shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items)

    def matrix(self, chosen: NDArray[np.bool_] | None = None) -> sparse.csr_matrix:
        """Return 1 where a session holds an item, by the chosen interactions; float32, shape (n_sessions, n_items)."""
        if chosen is None:
            items, offsets = self.items.copy(), self.offsets
        else:
            items = self.items[chosen]
            offsets = _offsets(np.add.reduceat(np.append(chosen, False), self.offsets, dtype=np.int64)[:-1])
        shape = (len(self), self.n_items)
        matrix = sparse.csr_matrix((np.ones(len(items), np.float32), items, offsets), shape=shape)
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix

    def data_range(self) -> DataRange:
        """Return which interactions these are, for the version's manifest."""
        return DataRange(
            first_ms=int(self.occurred_at_ms.min()),
            last_ms=int(self.occurred_at_ms.max()),
            interactions=len(self.items),
            sessions=len(self),
            users=len(np.unique(self.users[self.users >= 0])),
        )

    def between(self, first: int, last: int) -> SessionLog:
        """Return sessions ``first`` to ``last`` (exclusive), under the same vocabulary."""
        start, end = int(self.offsets[first]), int(self.offsets[last])
        return replace(
            self,
            items=self.items[start:end],
            kinds=self.kinds[start:end],
            occurred_at_ms=self.occurred_at_ms[start:end],
            offsets=self.offsets[first : last + 1] - start,
            users=self.users[first:last],
            **self._optional(slice(start, end)),
        )

    def reindexed(self, item_ids: tuple[str, ...]) -> SessionLog:
        """Return the same sessions under another vocabulary, without unknown items and sessions left empty."""
        index_of = {item_id: index for index, item_id in enumerate(item_ids)}
        mapping = np.array([index_of.get(item_id, 0) for item_id in self.item_ids], np.int32)
        items = mapping[self.items]
        known = items > 0
        if known.all():  # the usual case, and the rest of the log is not held twice then
            return replace(self, item_ids=item_ids, items=items)
        lengths = np.bincount(self.session_of[known], minlength=len(self))
        return replace(
            self,
            item_ids=item_ids,
            items=items[known],
            kinds=self.kinds[known],
            occurred_at_ms=self.occurred_at_ms[known],
            offsets=_offsets(lengths[lengths > 0]),
            users=self.users[lengths > 0],
            **self._optional(known),
        )

    def _optional(self, chosen: slice | NDArray[np.bool_]) -> dict[str, Any]:
        """Return these entries of what a log may lack."""
        optional = {"prices": self.prices, "amounts": self.amounts, "positions": self.positions}
        return {name: None if values is None else values[chosen] for name, values in optional.items()}


def popularity_vocabulary(log: SessionLog, *, catalogue: Iterable[str] = ()) -> tuple[str, ...]:
    """Return "" and then the log's items by descending count, ties by id; the rest of the catalogue last."""
    counts = log.counts()
    seen = [(-int(counts[i]), log.item_ids[i]) for i in np.flatnonzero(counts)]
    ranked = [item_id for _, item_id in sorted(seen)]
    missing = sorted(set(catalogue) - set(ranked) - {""})
    return ("", *ranked, *missing)


def log_from_frame(frame: pl.DataFrame) -> SessionLog:
    """Build a log from rows of interactions in any order.

    Parameters
    ----------
    frame : columns item_id, occurred_at_ms (int), kind (view, cart, purchase), and session_id, user_key or both
        ``price`` (of a piece, in the main unit), ``quantity`` and ``position`` (of the click in a list) are read
        where there are such columns. Without ``session_id``, a user's session ends after 30 minutes without an
        interaction. Rows at the same millisecond of a session keep the order of the frame.

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
    offsets = _offsets(lengths)
    chosen = np.empty(len(order), np.uint32)
    for first in range(0, len(starts), PIECE):
        part = slice(first, first + PIECE)
        place = slice(int(offsets[first]), int(offsets[min(first + PIECE, len(starts))]))
        chosen[place] = order[
            np.arange(place.start, place.stop) + np.repeat((starts - offsets[:-1])[part], lengths[part])
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
        place = np.searchsorted(named, starts)
        ends = np.append(starts[1:], len(order))
        found = np.append(named, len(order))[place]
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
        found = {"prices": prices.astype(np.float32), "amounts": np.rint(paid * 100).astype(np.int64)}
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
        offsets=_offsets(lengths),
        users=np.full(len(kept), -1, np.int32),
        has_times=False,
    )


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
