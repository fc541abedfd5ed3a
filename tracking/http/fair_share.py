"""One quota among many senders: who sends little is never refused for what another sends.

Senders fill up like water: of two, the one that used less comes first, whoever was there first. A request is admitted
when all senders together, each counted up to what its sender would then have used, are within the quota: what others
use beyond that is theirs to lose, and does not count. So a sender alone has the whole quota, ``n`` equal ones have a
part each, and one that sends without end costs the others no more than one that sends as much as they do (max-min
fairness). Those who were admitted early keep what they used: all together may have used up to ``1 + ln(n)`` quotas.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_SENDERS: Final = 16_384
"""Senders told apart in one window; later ones share with one of them, chosen by their name."""


class FairShare:
    """What each sender used of one quota in one window. Not thread-safe: the owner has the lock."""

    __slots__ = ("_index", "_used", "_weights", "total")

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._used: NDArray[np.float64] = np.zeros(8)
        self._weights: NDArray[np.float64] = np.ones(8)
        self.total = 0.0

    def admits(self, sender: str, amount: float, *, weight: float, limit: float) -> bool:
        """Return whether the sender may use ``amount`` more of a quota of ``limit``.

        Parameters
        ----------
        weight : float
            How much more than a sender of weight 1 the sender may use.
        """
        position = self._position(sender)
        n_known = len(self._index)
        used, weights = self._used[:n_known], self._weights[:n_known]
        own = 0.0 if position is None else float(used[position])
        level = (own + amount) / weight
        others = float(np.minimum(used, weights * level).sum())
        if position is not None:
            others -= min(own, float(weights[position]) * level)
        return others + own + amount <= limit

    def add(self, sender: str, amount: float, *, weight: float) -> None:
        """Count what a sender was allowed to use."""
        self.total += amount
        position = self._position(sender)
        if position is None:
            position = self._index[sender] = len(self._index)
            if position >= len(self._used):
                self._used = np.concatenate([self._used, np.zeros(len(self._used))])
                self._weights = np.concatenate([self._weights, np.ones(len(self._weights))])
        self._used[position] += amount
        self._weights[position] = weight

    def _position(self, sender: str) -> int | None:
        known = self._index.get(sender)
        if known is None and len(self._index) >= MAX_SENDERS:
            return zlib.crc32(sender.encode()) % MAX_SENDERS
        return known
