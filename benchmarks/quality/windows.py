"""Which sessions of a data set train and which test: filters and sliding windows as replication papers have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.ours import Window
from recommendations.training.data.dataset import Kind, SessionLog, offsets_of

DAY_MS: Final = 86_400_000
MIN_SUPPORT: Final = 5
MIN_LENGTH: Final = 2

SessionsBy = Literal["gap", "session", "order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a data set is read and cut.

    Window i begins ``offset_days + i · shift_days`` after the first interaction; ``train_days`` of it train and the
    ``test_days`` after them test. A session belongs to where it ends.

    Attributes
    ----------
    file_format : str
        The importer that reads it; empty for a session file, whose windows are cut by the same shares of its sessions.
    kind : Kind
        The interactions that count; the others are left out.
    sessions_by : str
        ``gap``: a user's session ends after 30 quiet minutes; ``session``: the data set says it; ``order``: a basket,
        whose items are in an order that says nothing.
    windows : int
    source : str
        Who cuts it so.
    """

    file_format: str
    kind: Kind
    sessions_by: SessionsBy
    train_days: int
    test_days: int
    windows: int
    source: str
    offset_days: int = 0
    shift_days: int = 0


_EMPIRICAL: Final = "Ludewig et al., UMUAI 2021"
PROTOCOLS: Final[Mapping[str, Protocol]] = {
    "retailrocket": Protocol(
        file_format="retailrocket", kind=Kind.VIEW, sessions_by="gap", train_days=25, test_days=2, windows=5,
        shift_days=27, source=_EMPIRICAL,
    ),
    "diginetica": Protocol(
        file_format="diginetica", kind=Kind.VIEW, sessions_by="session", train_days=25, test_days=7, windows=5,
        offset_days=45, shift_days=18, source=_EMPIRICAL,
    ),
    "yoochoose": Protocol(
        file_format="yoochoose", kind=Kind.VIEW, sessions_by="session", train_days=30, test_days=1, windows=5,
        offset_days=5, shift_days=31, source=_EMPIRICAL,
    ),
    "otto": Protocol(
        file_format="otto", kind=Kind.VIEW, sessions_by="session", train_days=21, test_days=7, windows=1,
        source="the data set's own last week",
    ),
    "hm": Protocol(
        file_format="hm", kind=Kind.PURCHASE, sessions_by="order", train_days=84, test_days=7, windows=5,
        offset_days=279, shift_days=91, source="ours: a week after twelve, the last one ending with the data",
    ),
    "sessions": Protocol(
        file_format="", kind=Kind.VIEW, sessions_by="session", train_days=25, test_days=2, windows=5, shift_days=27,
        source="RetailRocket's windows, by number of sessions",
    ),
}  # fmt: skip
"""By the name in ``--data NAME=PATH``."""


def filtered(log: SessionLog, *, min_support: int = MIN_SUPPORT, min_length: int = MIN_LENGTH) -> SessionLog:
    """Return the sessions of ``min_length`` interactions at least, of items with ``min_support`` interactions at least.

    Short sessions go first, then rare items, then what has become short: once each, so that an item may end with fewer.
    """
    log = _longer(log, min_length)
    counts = log.counts()
    frequent = tuple(item_id for item_id, n in zip(log.item_ids, counts.tolist(), strict=True) if n >= min_support)
    return _longer(log.reindexed(("", *frequent)), min_length)


def windows_of(log: SessionLog, protocol: Protocol) -> list[Window]:
    """Return the windows of a filtered log, the earliest first; those without sessions on a side are left out."""
    if not len(log):
        return []
    if log.has_times:
        ended, first = log.ended_at_ms, int(log.occurred_at_ms.min())
        day = float(DAY_MS)
    else:  # the whole log is as many days as the windows need
        ended, first = np.arange(len(log), dtype=np.int64), 0
        day = len(log) / (protocol.offset_days + _last_start(protocol) + protocol.train_days + protocol.test_days)
    found = []
    for number in range(protocol.windows):
        start = first + (protocol.offset_days + number * protocol.shift_days) * day
        cut = start + protocol.train_days * day
        rows = [int(np.searchsorted(ended, edge)) for edge in (start, cut, cut + protocol.test_days * day)]
        if rows[0] < rows[1] < rows[2]:
            found.append(window_between(log, *rows, name=f"window {number + 1}"))
    return found


def shortened(window: Window, sessions: int) -> Window:
    """Return the window with its newest known sessions alone, ``sessions`` at most."""
    n_known, n_whole = len(window.known), len(window.whole)
    first = max(n_known - sessions, 0)
    return window_between(window.whole, first, n_known, n_whole, name=window.name)


def window_between(log: SessionLog, first: int, cut: int, end: int, *, name: str) -> Window:
    """Return the window of sessions ``first`` to ``end`` (exclusive), of which those from ``cut`` on test."""
    return Window(
        name=name, known=log.between(first, cut), held_out=log.between(cut, end), whole=log.between(first, end)
    )


def _last_start(protocol: Protocol) -> int:
    return (protocol.windows - 1) * protocol.shift_days


def _longer(log: SessionLog, min_length: int) -> SessionLog:
    return _chosen(log, log.lengths >= min_length)


def _chosen(log: SessionLog, kept: NDArray[np.bool_]) -> SessionLog:
    rows = np.repeat(kept, log.lengths)
    return replace(
        log,
        items=log.items[rows],
        kinds=log.kinds[rows],
        occurred_at_ms=log.occurred_at_ms[rows],
        offsets=offsets_of(log.lengths[kept]),
        users=log.users[kept],
        prices=None,
        amounts=None,
        positions=None,
    )
