"""Columns of prices, categories, orders and popularity, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.columns import USER_COLUMNS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.item_features import (
    NO_ORDER_AGE,
    NO_POPULARITY,
    NO_PRICE,
    NO_RATIO,
    UserOrders,
    affinity_columns,
    popularity_columns,
)

# Row 0 pads. Items 1 and 2: department 1, categories 1 and 2, brand 1, 10 and 20; item 3: all unknown; item 4: 10.
ITEM_FEATURES = np.array(
    [
        [NO_PRICE, 0, 0, 0],
        [np.log(10), 1, 1, 1],
        [np.log(20), 2, 1, 1],
        [NO_PRICE, 0, 0, 0],
        [np.log(10), 3, 2, 2],
    ],
    np.float32,
)


def columns(history, items, *, users=None):
    return affinity_columns(
        SessionHistories.of([history]),
        np.zeros(len(items), np.int64),
        np.array(items, np.int32),
        ITEM_FEATURES,
        users or UserOrders.nobody(1),
    )


def test_a_price_is_compared_with_the_sessions_newer_items_weighing_more():
    found = columns([1, 2], [2, 3])

    level = (0.7 * np.log(10) + np.log(20)) / 1.7
    assert found["price_to_session"].tolist() == pytest.approx([np.log(20) - level, NO_RATIO], abs=1e-5)


def test_shares_are_of_the_weight_whose_category_is_known():
    found = columns([1, 3, 2], [1, 2, 4])

    oldest, newest = 0.49, 1.0  # the item between them has no category and counts in neither
    shares = [oldest / (oldest + newest), newest / (oldest + newest), 0]
    assert found["category_share"].tolist() == pytest.approx(shares, abs=1e-5)
    assert found["department_share"].tolist() == pytest.approx([1, 1, 0], abs=1e-5)
    assert found["brand_share"].tolist() == pytest.approx([1, 1, 0], abs=1e-5)


def test_two_items_without_a_category_are_not_alike():
    assert columns([3], [3])["category_share"].tolist() == [0]


def test_a_price_is_compared_with_the_value_of_past_orders():
    buyer = UserOrders.of(
        order_age_s=np.array([0.0]),
        orders=np.array([2]),
        monetary=np.array([4_000]),
        scores=np.array([[5, 4, 3]], np.int8),
    )

    found = columns([1], [1, 3], users=buyer)

    assert found["price_to_orders"].tolist() == pytest.approx([np.log(10 / 20), NO_RATIO], abs=1e-5)


def test_a_buyer_and_a_stranger():
    both = UserOrders.of(
        order_age_s=np.array([3 * 86_400.0, 0.0]),
        orders=np.array([1, 0]),
        monetary=np.array([900, 0]),
        scores=np.array([[5, 1, 2], [0, 0, 0]], np.int8),
    )

    assert dict(zip(USER_COLUMNS, both.columns[0].tolist(), strict=True)) == pytest.approx(
        {
            "orders": np.log(2),
            "order_age": np.log(4),
            "spent": np.log(10),
            "recency_score": 5,
            "frequency_score": 1,
            "monetary_score": 2,
        },
        abs=1e-5,
    )
    np.testing.assert_array_equal(both.columns[1], UserOrders.nobody(1).columns[0])
    assert both.columns[1, USER_COLUMNS.index("order_age")] == NO_ORDER_AGE


def test_more_was_refunded_than_paid_is_no_error():
    found = UserOrders.of(
        order_age_s=np.array([1.0]), orders=np.array([1]), monetary=np.array([-50]), scores=np.zeros((1, 3), np.int8)
    )

    assert np.isfinite(found.columns).all()
    assert found.log_order_value[0] == NO_PRICE


def test_popularity_rises_when_the_day_is_above_the_weeks_mean():
    def counted(queries, items):
        return np.array([7, 1], np.float32), np.array([7, 49], np.float32)

    found = popularity_columns(np.zeros(2, np.int64), np.array([1, 2], np.int32), counted)

    assert found["day_demand"].tolist() == pytest.approx([np.log(8), np.log(2)], abs=1e-5)
    assert found["demand_trend"].tolist() == pytest.approx([np.log(8) - np.log(2), np.log(2) - np.log(8)], abs=1e-5)


def test_without_counts_popularity_is_said_to_be_unknown():
    found = popularity_columns(np.zeros(1, np.int64), np.array([1], np.int32), None)

    assert found["day_demand"] == NO_POPULARITY
