"""What the ranker knows beside the sources: prices, categories, the user's orders, what is popular just now.

Nothing here reads anything: training hands in what was known before each label, serving what is known now, and the
same functions make columns of both. What is unknown has a stated default in place of NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.columns import ITEM_FEATURES, USER_COLUMNS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, IndexArray

NO_PRICE: Final = np.float32(-20.0)
NO_RATIO: Final = np.float32(-20.0)
"""The logarithm of a ratio of which one side is unknown."""

NO_ORDER_AGE: Final = np.float32(-1.0)
NO_POPULARITY: Final = np.float32(-1.0)
AFFINITY_DECAY: Final = np.float32(0.7)
DAY_S: Final = 86_400.0

RecentPopularity = Callable[[NDArray[np.int64], IndexArray], tuple[FloatArray, FloatArray]]
"""From (queries, items) to the weighted interactions of each item in the day and the week before each query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserOrders:
    """What n users had ordered at the time of each query.

    Attributes
    ----------
    columns : float32, shape (n, len(USER_COLUMNS))
    log_order_value : float32, shape (n,)
        Logarithm of the mean value of an order in the main unit; ``NO_PRICE`` without one.
    """

    columns: FloatArray
    log_order_value: FloatArray

    @classmethod
    def nobody(cls, n: int) -> UserOrders:
        """Return users of whom no order is known."""
        columns = np.zeros((n, len(USER_COLUMNS)), np.float32)
        columns[:, USER_COLUMNS.index("order_age")] = NO_ORDER_AGE
        return cls(columns=columns, log_order_value=np.full(n, NO_PRICE, np.float32))

    @classmethod
    def of(
        cls,
        *,
        order_age_s: NDArray[np.float64],
        orders: NDArray[np.int64],
        monetary: NDArray[np.int64],
        scores: NDArray[np.int8],
        decimals: int = 2,
    ) -> UserOrders:
        """Return users by recency, frequency and monetary value.

        Parameters
        ----------
        order_age_s : float64, shape (n,)
            Seconds since the newest order; read where ``orders`` is above 0.
        orders : int64, shape (n,)
        monetary : int64, shape (n,)
            In minor units of the site's currency.
        scores : int8, shape (n, 3)
            Fifths as in ``features.segments.rfm``, 1 to 5; 0 where none was computed.
        decimals : int
            Of the site's currency: 2 for EUR, 0 for JPY. Values are compared with prices, which are in the main unit.
        """
        bought = orders > 0
        spent = np.maximum(monetary, 0) / 10.0**decimals
        age_days = np.where(bought, np.maximum(order_age_s, 0) / DAY_S, 0)
        columns = np.column_stack(
            [np.log1p(orders), np.where(bought, np.log1p(age_days), NO_ORDER_AGE), np.log1p(spent), scores]
        ).astype(np.float32)
        has_value = bought & (spent > 0)
        mean = np.where(has_value, spent / np.maximum(orders, 1), 1.0)
        log_order_value = np.where(has_value, np.log(mean), NO_PRICE).astype(np.float32)
        return cls(columns=columns, log_order_value=log_order_value)

    def __len__(self) -> int:
        return len(self.columns)

    def take(self, rows: NDArray[np.int64]) -> UserOrders:
        """Return these users, in this order."""
        return UserOrders(columns=self.columns[rows], log_order_value=self.log_order_value[rows])


def affinity_columns(
    histories: SessionHistories,
    queries: NDArray[np.int64],
    items: IndexArray,
    item_features: FloatArray,
    users: UserOrders,
) -> dict[str, FloatArray]:
    """Return ``AFFINITY_COLUMNS`` of pairs (query, item): how a candidate goes with the session and with past orders.

    A price is compared with the session's (the mean logarithm, newer items weigh more) and with the value of the
    user's orders. A share is that of the session's weight whose item has the candidate's category, department
    (the first level of the category) or brand.
    """
    seen, chosen = item_features[histories.items], item_features[items]
    weights = np.power(AFFINITY_DECAY, histories.ages, dtype=np.float32)
    owners, n = histories.query_of, len(histories)
    priced = weights * (seen[:, 0] > NO_PRICE)
    total = np.bincount(owners, weights=priced, minlength=n)
    mean = np.bincount(owners, weights=priced * seen[:, 0], minlength=n) / np.maximum(total, 1e-9)
    level = np.where(total > 0, mean, NO_PRICE).astype(np.float32)
    price = chosen[:, 0]
    columns = {
        "log_price": price,
        "price_to_session": _log_ratio(price, level[queries]),
        "price_to_orders": _log_ratio(price, users.log_order_value[queries]),
    }
    # One search for the three kinds of code: a key is (query, kind, code).
    kinds = np.arange(3)
    seen_slots = owners[:, None] * 3 + kinds
    seen_codes = seen[:, 1:].astype(np.int64)
    slots = queries[:, None] * 3 + kinds
    codes = chosen[:, 1:].astype(np.int64)
    found, where = np.unique(((seen_slots << 32) | seen_codes).ravel(), return_inverse=True)
    sums = np.bincount(where.ravel(), weights=np.repeat(weights, 3), minlength=len(found))
    known = np.bincount(seen_slots.ravel(), weights=(weights[:, None] * (seen_codes > 0)).ravel(), minlength=3 * n)
    wanted = (slots << 32) | codes
    row = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    same = np.where((found[row] == wanted) & (codes > 0), sums[row], 0.0)
    shares = (same / np.maximum(known[slots], 1e-9)).astype(np.float32)
    columns |= {f"{name}_share": shares[:, kind] for kind, name in enumerate(ITEM_FEATURES[1:])}
    return columns


def popularity_columns(
    queries: NDArray[np.int64], items: IndexArray, popularity: RecentPopularity | None
) -> dict[str, FloatArray | np.float32]:
    """Return ``POPULARITY_COLUMNS`` of pairs (query, item): interactions of the last day, and whether they rise."""
    if popularity is None:
        return {"day_demand": NO_POPULARITY, "demand_trend": np.float32(0)}
    day, week = popularity(queries, items)
    log_day = np.log1p(day, dtype=np.float32)
    return {"day_demand": log_day, "demand_trend": log_day - np.log1p(week / np.float32(7), dtype=np.float32)}


def _log_ratio(price: FloatArray, level: FloatArray) -> FloatArray:
    ratio: FloatArray = np.where((price > NO_PRICE) & (level > NO_PRICE), price - level, NO_RATIO).astype(np.float32)
    return ratio
