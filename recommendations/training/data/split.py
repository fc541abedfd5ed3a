"""Splits by time, and the test points they give; never by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.definitions import KEEP_SESSION_RECENTS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.dataset import InvalidDataset, Kind, SessionLog


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPoints:
    """Session histories and what came next.

    Attributes
    ----------
    targets : int32, shape (n,)
        Index of the next item; 0 for an item that training did not know, which counts as a miss.
    kinds : uint8, shape (n,)
        What was done with it.
    users : int32, shape (n,), optional
        As in ``SessionLog``.
    sessions : int32, shape (n,), optional
        Number of the session that the point is of: points of one session are not independent of each other.
    asked_at_ms : int64, shape (n,), optional
        When the next item came; features may know what was before that.
    positions : int16, shape (n,), optional
        Where the next item stood in the list that led to it; -1 without one.
    at : int64, shape (n,), optional
        Which interaction of its log the next item is; ``later_in_session`` looks at what follows it.
    """

    __test__ = False  # not a test class, whatever pytest reads into the name

    histories: SessionHistories
    targets: IndexArray
    kinds: NDArray[np.uint8]
    users: IndexArray | None = None
    sessions: IndexArray | None = None
    asked_at_ms: NDArray[np.int64] | None = None
    positions: NDArray[np.int16] | None = None
    at: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: NDArray[np.int64]) -> TestPoints:
        """Return these points, in this order."""
        return TestPoints(
            histories=self.histories.take(rows),
            targets=self.targets[rows],
            kinds=self.kinds[rows],
            users=None if self.users is None else self.users[rows],
            sessions=None if self.sessions is None else self.sessions[rows],
            asked_at_ms=None if self.asked_at_ms is None else self.asked_at_ms[rows],
            positions=None if self.positions is None else self.positions[rows],
            at=None if self.at is None else self.at[rows],
        )

    def is_new(self) -> NDArray[np.bool_]:
        """Whether the target was not in the history already."""
        repeated = self.histories.items == self.targets[self.histories.query_of]
        is_new: NDArray[np.bool_] = np.bincount(self.histories.query_of[repeated], minlength=len(self)) == 0
        return is_new


def split_by_time(log: SessionLog, *, held_out: float) -> tuple[SessionLog, SessionLog]:
    """Return the earlier sessions and the last ``held_out`` share of them, under the same vocabulary."""
    if not 0 < held_out < 1:
        raise InvalidDataset(f"held_out={held_out} is not a share between 0 and 1.")
    first = len(log) - round(len(log) * held_out)
    if not 0 < first < len(log):
        raise InvalidDataset(f"{len(log)} sessions are too few to hold out {held_out:.0%}; collect more first.")
    return log.between(0, first), log.between(first, len(log))


def split_after(log: SessionLog, *, after_ms: int) -> tuple[SessionLog, SessionLog]:
    """Return the sessions that ended up to ``after_ms`` and the later ones, under the same vocabulary."""
    first = int(np.searchsorted(log.ended_at_ms, after_ms, side="right"))
    if not 0 < first < len(log):
        raise InvalidDataset(
            f"All {len(log)} sessions ended {'up to' if first else 'after'} {after_ms} ms: one side of the split is"
            " empty. Train again when there are newer sessions, or hold out a share."
        )
    return log.between(0, first), log.between(first, len(log))


def spread(n: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` row numbers below ``n``, evenly spread."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(most, n)).astype(np.int64))


def points_at_every_position(log: SessionLog, *, newest: int | None = None, most: int | None = None) -> TestPoints:
    """Return one point for every interaction of a session but its first, in the order of the log.

    A history is what serving knows of the session then: its newest ``KEEP_SESSION_RECENTS`` interactions, and of
    several purchases of an item the newest alone, since page and server may both report an order. Histories grow with
    the square of a session's length, so they are made for the chosen points only.

    Parameters
    ----------
    newest : int, optional
        Only the last so many points.
    most : int, optional
        At most so many points, evenly spread.
    """
    positions = np.arange(len(log.items)) - np.repeat(log.offsets[:-1], log.lengths)
    targets = np.flatnonzero(positions > 0)
    targets = targets if newest is None else targets[max(len(targets) - newest, 0) :]
    targets = targets if most is None else targets[spread(len(targets), most)]
    lengths = positions[targets]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    rows = np.repeat(targets - lengths, lengths) + within
    rows, offsets = _as_served(log, rows, np.repeat(targets, lengths), n_points=len(targets))
    histories = SessionHistories(items=log.items[rows], offsets=offsets)
    sessions = log.session_of[targets]
    return TestPoints(
        histories=histories,
        targets=log.items[targets],
        kinds=log.kinds[targets],
        users=log.users[sessions],
        sessions=sessions,
        asked_at_ms=log.occurred_at_ms[targets] if log.has_times else None,
        positions=None if log.positions is None else log.positions[targets],
        at=targets,
    )


def _as_served(
    log: SessionLog, rows: NDArray[np.int64], targets: NDArray[np.int64], *, n_points: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return those rows of histories that serving knows, and where each history begins; ``targets`` has one a row."""
    if not len(rows):
        return rows, np.zeros(n_points + 1, np.int64)
    bought = np.flatnonzero(log.kinds == Kind.PURCHASE)
    keys = (log.session_of[bought].astype(np.int64) << 32) | log.items[bought]
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    next_purchase = np.full(len(log.items), len(log.items), np.int64)
    next_purchase[bought[order[again]]] = bought[order[again + 1]]
    known = next_purchase[rows] >= targets
    rows, targets = rows[known], targets[known]
    starts = np.flatnonzero(np.diff(targets, prepend=-1))
    ends = np.append(starts[1:], len(rows))
    newest = np.repeat(ends, ends - starts) - np.arange(len(rows)) <= KEEP_SESSION_RECENTS
    lengths = np.minimum(ends - starts, KEEP_SESSION_RECENTS)
    return rows[newest], np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def later_in_session(points: TestPoints, log: SessionLog, *, least: Kind) -> NDArray[np.int64]:
    """Return what users did later in the session, the next item included: sorted ``point << 32 | item``, each once.

    Parameters
    ----------
    log : SessionLog
        The one whose points these are.
    least : Kind
        Only interactions of this kind, or nearer to the money: an item that is bought counts as put into the cart.
    """
    assert points.at is not None
    ends = log.offsets[np.searchsorted(log.offsets, points.at, side="right")]
    chosen = np.flatnonzero(log.kinds >= least)
    first, last = np.searchsorted(chosen, points.at), np.searchsorted(chosen, ends)
    counts = last - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    items = log.items[chosen[np.repeat(first, counts) + within]].astype(np.int64)
    return np.unique((np.repeat(np.arange(len(points)), counts) << 32) | items)
