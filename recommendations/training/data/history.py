"""What was known before each label: orders of the user, popularity of the items; exact, from the log alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.segments import rfm
from recommendations.ranking.item_features import UserOrders
from recommendations.ranking.rrf import FloatArray, IndexArray
from recommendations.training.data.dataset import Kind, SessionLog
from recommendations.training.data.split import TestPoints

DAY_MS = 86_400_000
POPULARITY_WEIGHTS = np.array([1.0, 3.0, 5.0])
"""Of a view, a cart and a purchase, as ``item_counts.WEIGHTS`` has them."""

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What features may know beside the history, one entry a point; None where the log does not tell."""

    users: UserOrders | None = None
    popularity: LogPopularity | None = None

    @classmethod
    def before(cls, points: TestPoints, *, log: SessionLog, orders: Orders) -> Known:
        """Return what was known before each point.

        Parameters
        ----------
        log : SessionLog
            All interactions under the vocabulary of the points, later ones too: each point looks at what was before it.
        """
        popularity = (
            LogPopularity(log, points.asked_at_ms) if log.has_times and points.asked_at_ms is not None else None
        )
        return cls(users=orders.known_before(points), popularity=popularity)

    def take(self, rows: Longs) -> Known:
        """Return what was known before these points, in this order."""
        return Known(
            users=None if self.users is None else self.users.take(rows),
            popularity=None if self.popularity is None else self.popularity.take(rows),
        )


NOTHING_KNOWN = Known()


class Orders:
    """The orders of a log, by user and time; purchases of one user at one millisecond are one order.

    Monetary value is what was paid and not refunded; an order that was refunded whole counts as one of nothing.
    """

    def __init__(self, log: SessionLog) -> None:
        users = log.users[log.session_of].astype(np.int64)
        bought = np.flatnonzero((log.kinds == Kind.PURCHASE) & (users >= 0)) if log.has_times else np.empty(0, np.int64)
        self._first_ms = int(log.occurred_at_ms.min(initial=0))
        self._span = int(log.occurred_at_ms.max(initial=0)) - self._first_ms + 2
        keys = users[bought] * self._span + log.occurred_at_ms[bought] - self._first_ms
        self._keys, order_of = np.unique(keys, return_inverse=True)
        self._decimals = log.decimals
        amounts = np.zeros(len(bought), np.int64) if log.amounts is None else log.amounts[bought]
        value = np.zeros(len(self._keys), np.int64)
        np.add.at(value, order_of, amounts)
        self._value_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(value)])
        self._buyers = np.unique(self._keys // self._span)

    def __len__(self) -> int:
        return len(self._keys)

    def known_before(self, points: TestPoints) -> UserOrders | None:
        """Return what the user of each point had ordered before it; None for a log without orders.

        Scores are those of all buyers when the first point was asked, as a periodic run would have left them.
        """
        scored = self._scored(points)
        return None if scored is None else scored[0]

    def segments_of(self, points: TestPoints) -> NDArray[np.str_] | None:
        """Return the default RFM segment of the user of each point; "no orders" before the first."""
        scored = self._scored(points)
        if scored is None:
            return None
        names = rfm.segment_table(rfm.DEFAULT_RULES)
        return np.array([names[(r, f, m)] if r else "no orders" for r, f, m in scored[1].tolist()])

    def _scored(self, points: TestPoints) -> tuple[UserOrders, NDArray[np.int8]] | None:
        if not len(self._keys) or points.users is None or points.asked_at_ms is None or not len(points):
            return None
        buyers = self._as_of(self._buyers, np.full(len(self._buyers), points.asked_at_ms.min()))
        already = buyers.orders > 0
        bounds = rfm.quintiles(
            rfm.Buyers(
                last_purchase_ms=buyers.last_purchase_ms[already],
                orders=buyers.orders[already],
                monetary=buyers.monetary[already],
            )
        )
        found = self._as_of(points.users.astype(np.int64), points.asked_at_ms)
        bought = found.orders > 0
        scores = np.where(bought[:, None], rfm.scores(found, bounds), 0).astype(np.int8)
        if not already.any():
            scores[:] = 0  # nobody had bought when fifths were last computed
        age_s = np.where(bought, points.asked_at_ms - found.last_purchase_ms, 0) / 1000.0
        known_orders = UserOrders.of(
            order_age_s=age_s, orders=found.orders, monetary=found.monetary, scores=scores, decimals=self._decimals
        )
        return known_orders, scores

    def _as_of(self, users: Longs, times_ms: Longs) -> rfm.Buyers:
        known = np.maximum(users, 0)
        first = np.searchsorted(self._keys, known * self._span)
        last = np.searchsorted(self._keys, known * self._span + np.clip(times_ms - self._first_ms, 0, self._span - 1))
        orders = np.where(users >= 0, last - first, 0)
        newest = self._keys[np.maximum(last - 1, 0)] % self._span + self._first_ms
        monetary = np.where(orders > 0, self._value_before[last] - self._value_before[first], 0)
        return rfm.Buyers(last_purchase_ms=np.where(orders > 0, newest, 0), orders=orders, monetary=monetary)


class LogPopularity:
    """Counts of items in the time before queries, as the stream workers' windows would have them."""

    def __init__(self, log: SessionLog, asked_at_ms: Longs) -> None:
        self._first_ms = int(log.occurred_at_ms.min(initial=0))
        self._span = int(log.occurred_at_ms.max(initial=0)) - self._first_ms + 2
        keys: Longs = log.items.astype(np.int64) * self._span + log.occurred_at_ms - self._first_ms
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        weights = POPULARITY_WEIGHTS[log.kinds[order]]
        self._before = np.concatenate([np.zeros(1), np.cumsum(weights)])
        self._asked_ms = np.clip(asked_at_ms - self._first_ms, 0, self._span - 1)

    def take(self, rows: Longs) -> LogPopularity:
        """Return the popularity for queries ``rows``."""
        part = object.__new__(LogPopularity)
        part.__dict__.update(self.__dict__, _asked_ms=self._asked_ms[rows])
        return part

    def __call__(self, queries: Longs, items: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Return weighted interactions of the day and the week before each query; float32, shape (n,) each."""
        asked, start = self._asked_ms[queries], items.astype(np.int64) * self._span
        until = self._before[np.searchsorted(self._keys, start + asked)]
        day, week = (
            until - self._before[np.searchsorted(self._keys, start + np.maximum(asked - days * DAY_MS, 0))]
            for days in (1, 7)
        )
        return day.astype(np.float32), week.astype(np.float32)
