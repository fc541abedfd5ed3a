"""What the ranker knows beside the sources: prices, categories, the shopper's orders, what is in demand just now.

Nothing here reads anything: training hands in what was known before each label, serving what is known now, and the
same functions make columns of both. What is unknown has a stated default in place of NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, IndexArray

FACTS: Final = ("log_price", "category", "department", "brand")
"""Columns of ``RankingTables.item_facts``: the natural logarithm of the price in the main unit, and codes from 1."""

AFFINITY_COLUMNS: Final = (
    "log_price",
    "price_to_session",
    "price_to_orders",
    "category_share",
    "department_share",
    "brand_share",
)
SHOPPER_COLUMNS: Final = (
    "orders",
    "order_age",
    "spent",
    "recency_score",
    "frequency_score",
    "monetary_score",
)
DEMAND_COLUMNS: Final = ("day_demand", "demand_trend")

NO_PRICE: Final = np.float32(-20.0)
NO_RATIO: Final = np.float32(-20.0)
"""The logarithm of a ratio of which one side is unknown."""

NO_CODE: Final = np.float32(0.0)
NO_ORDER_AGE: Final = np.float32(-1.0)
NO_DEMAND: Final = np.float32(-1.0)
AFFINITY_DECAY: Final = np.float32(0.7)
DAY_S: Final = 86_400.0

Demand = Callable[[NDArray[np.int64], IndexArray], tuple[FloatArray, FloatArray]]
"""From (queries, items) to the weighted interactions of each item in the day and the week before each query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shoppers:
    """What n shoppers had ordered when they were asked for.

    Attributes
    ----------
    columns : float32, shape (n, len(SHOPPER_COLUMNS))
    log_order_value : float32, shape (n,)
        Logarithm of the mean value of an order in the main unit; ``NO_PRICE`` without one.
    """

    columns: FloatArray
    log_order_value: FloatArray

    @classmethod
    def nobody(cls, n: int) -> Shoppers:
        """Return shoppers of whom no order is known."""
        columns = np.zeros((n, len(SHOPPER_COLUMNS)), np.float32)
        columns[:, SHOPPER_COLUMNS.index("order_age")] = NO_ORDER_AGE
        return cls(columns=columns, log_order_value=np.full(n, NO_PRICE, np.float32))

    @classmethod
    def of(
        cls,
        *,
        order_age_s: NDArray[np.float64],
        orders: NDArray[np.int64],
        monetary: NDArray[np.int64],
        scores: NDArray[np.int8],
    ) -> Shoppers:
        """Return shoppers by recency, frequency and monetary value.

        Parameters
        ----------
        order_age_s : float64, shape (n,)
            Seconds since the newest order; read where ``orders`` is above 0.
        orders : int64, shape (n,)
        monetary : int64, shape (n,)
            In hundredths of the site's currency.
        scores : int8, shape (n, 3)
            Fifths as in ``features.segments.rfm``, 1 to 5; 0 where none was computed.
        """
        bought = orders > 0
        spent = np.maximum(monetary, 0) / 100.0
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

    def take(self, rows: NDArray[np.int64]) -> Shoppers:
        """Return these shoppers, in this order."""
        return Shoppers(columns=self.columns[rows], log_order_value=self.log_order_value[rows])


def affinity_columns(
    prefixes: SessionHistories, queries: NDArray[np.int64], items: IndexArray, facts: FloatArray, shoppers: Shoppers
) -> dict[str, FloatArray]:
    """Return ``AFFINITY_COLUMNS`` of pairs (query, item): how a candidate goes with the session and with past orders.

    A price is compared with the session's (the mean logarithm, newer items weigh more) and with the value of the
    shopper's orders. A share is that of the session's weight whose item has the candidate's category, department
    (the first level of the category) or brand.
    """
    seen, chosen = facts[prefixes.items], facts[items]
    weights = np.power(AFFINITY_DECAY, prefixes.ages, dtype=np.float32)
    owners, n = prefixes.query_of, len(prefixes)
    priced = weights * (seen[:, 0] > NO_PRICE)
    total = np.bincount(owners, weights=priced, minlength=n)
    mean = np.bincount(owners, weights=priced * seen[:, 0], minlength=n) / np.maximum(total, 1e-9)
    level = np.where(total > 0, mean, NO_PRICE).astype(np.float32)
    price = chosen[:, 0]
    columns = {
        "log_price": price,
        "price_to_session": _log_ratio(price, level[queries]),
        "price_to_orders": _log_ratio(price, shoppers.log_order_value[queries]),
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
    place = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    same = np.where((found[place] == wanted) & (codes > 0), sums[place], 0.0)
    shares = (same / np.maximum(known[slots], 1e-9)).astype(np.float32)
    columns |= {f"{name}_share": shares[:, kind] for kind, name in enumerate(FACTS[1:])}
    return columns


def demand_columns(
    queries: NDArray[np.int64], items: IndexArray, demand: Demand | None
) -> dict[str, FloatArray | np.float32]:
    """Return ``DEMAND_COLUMNS`` of pairs (query, item): interactions of the last day, and whether they rise."""
    if demand is None:
        return {"day_demand": NO_DEMAND, "demand_trend": np.float32(0)}
    day, week = demand(queries, items)
    log_day = np.log1p(day, dtype=np.float32)
    return {"day_demand": log_day, "demand_trend": log_day - np.log1p(week / np.float32(7), dtype=np.float32)}


def _log_ratio(price: FloatArray, level: FloatArray) -> FloatArray:
    ratio: FloatArray = np.where((price > NO_PRICE) & (level > NO_PRICE), price - level, NO_RATIO).astype(np.float32)
    return ratio
