"""What features may know of the past: never anything of the label or after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recommendations.ranking.columns import USER_COLUMNS
from recommendations.state.item_counts import WEIGHTS
from recommendations.training.data.building import log_from_frame, log_from_sessions
from recommendations.training.data.dataset import Kind
from recommendations.training.data.history import DAY_MS, POPULARITY_WEIGHTS, Known, LogPopularity, Orders
from recommendations.training.data.split import points_at_every_position


def log_of(*rows):
    """Build a log of (user, session, day, item, kind, price)."""
    return log_from_frame(
        pl.DataFrame(
            {
                "user_key": [row[0] for row in rows],
                "session_id": [f"{row[0]}-{row[1]}" for row in rows],
                "occurred_at_ms": [round(row[2] * DAY_MS) for row in rows],
                "item_id": [row[3] for row in rows],
                "kind": [row[4] for row in rows],
                "price": [float(row[5]) for row in rows],
                "quantity": [1 for _ in rows],
            }
        )
    )


def column(users, name):
    return users.columns[:, USER_COLUMNS.index(name)].tolist()


BUYER = log_of(
    ("eva", 1, 1.0, "a", "view", 10),
    ("eva", 1, 1.5, "a", "purchase", 10),
    ("eva", 1, 1.5, "b", "purchase", 30),
    ("eva", 2, 4.5, "c", "view", 5),
    ("eva", 2, 4.6, "d", "view", 5),
    ("tom", 1, 9.0, "a", "view", 10),
    ("tom", 1, 9.1, "b", "view", 30),
)


def test_an_order_counts_for_later_points_only():
    points = points_at_every_position(BUYER)

    users = Orders(BUYER).known_before(points)

    # Both rows of eva's order, her next session, and tom.
    assert np.expm1(column(users, "orders")).tolist() == pytest.approx([0, 0, 1, 0], abs=1e-5)
    assert np.expm1(column(users, "spent"))[2] == pytest.approx(40, abs=1e-3)
    assert np.expm1(column(users, "order_age"))[2] == pytest.approx(3.1, abs=1e-4)


def test_what_was_spent_is_in_the_main_unit_of_the_sites_currency():
    yen = replace(BUYER, decimals=0)

    users = Orders(yen).known_before(points_at_every_position(yen))

    assert np.expm1(column(users, "spent"))[2] == pytest.approx(4_000, rel=1e-5)
    assert np.exp(users.log_order_value[2]) == pytest.approx(4_000, rel=1e-5)


def test_the_future_changes_nothing():
    points = points_at_every_position(BUYER)
    until = int(points.asked_at_ms[2])
    before = BUYER.occurred_at_ms < until
    past = replace(BUYER, kinds=np.where(before, BUYER.kinds, Kind.PURCHASE).astype(np.uint8))

    here = Orders(past).known_before(points.take(np.array([2])))

    np.testing.assert_array_equal(here.columns, Orders(BUYER).known_before(points.take(np.array([2]))).columns)


def test_scores_are_fifths_of_those_who_had_bought_when_the_first_point_was_asked():
    rows = [(f"u{n}", 1, 1 + n / 10, "a", "purchase", 10 * (n + 1)) for n in range(5)]
    later = [(f"u{n}", 2, 20 + n / 10, item, "view", 1) for n in range(5) for item in "bc"]
    log = log_of(*rows, *later)

    users = Orders(log).known_before(points_at_every_position(log))

    assert column(users, "monetary_score") == [1, 2, 3, 4, 5]
    assert column(users, "recency_score") == [1, 2, 3, 4, 5]
    assert column(users, "frequency_score") == [1, 1, 1, 1, 1]


def test_segments_name_shoppers_without_an_order():
    names = Orders(BUYER).segments_of(points_at_every_position(BUYER))

    assert names.tolist()[:2] == ["no orders", "no orders"]
    assert names[3] == "no orders"


def test_a_log_without_users_times_or_orders_has_no_shoppers():
    bare = log_from_sessions([["a", "b"]] * 3)
    known = Known.before(points_at_every_position(bare), log=bare, orders=Orders(bare))

    assert known.users is None
    assert known.popularity is None


def test_popularity_counts_the_day_and_the_week_before_each_point_by_kind():
    log = log_of(
        ("a", 1, 0.0, "x", "purchase", 1),
        ("b", 1, 5.0, "x", "cart", 1),
        ("c", 1, 7.5, "x", "view", 1),
        ("d", 1, 7.8, "x", "view", 1),
        ("e", 1, 8.0, "x", "view", 1),
        ("f", 1, 8.5, "y", "view", 1),
    )
    x = log.item_ids.index("x")
    popularity = LogPopularity(log, np.array([8 * DAY_MS, round(5.5 * DAY_MS)]))

    day, week = popularity(np.array([0, 1]), np.array([x, x], np.int32))

    assert day.tolist() == [2, 3]  # neither the view at that very moment nor a later one
    assert week.tolist() == [5, 8]


def test_one_query_has_the_popularity_that_it_has_among_others():
    rng = np.random.default_rng(0)
    rows = [(f"u{n}", 1, rng.uniform(0, 20), f"i{rng.integers(9)}", "view", 1) for n in range(400)]
    log = log_of(*rows)
    asked = np.sort(rng.integers(DAY_MS, 20 * DAY_MS, 30))
    popularity = LogPopularity(log, asked)
    items = np.arange(1, 10, dtype=np.int32)

    for query in range(30):
        whole = popularity(np.full(9, query), items)
        alone = popularity.take(np.array([query]))(np.zeros(9, np.int64), items)
        by_hand = [
            ((log.items == item) & (log.occurred_at_ms < asked[query]) & (log.occurred_at_ms >= asked[query] - DAY_MS))
            for item in items
        ]
        np.testing.assert_array_equal(whole, alone)
        assert whole[0].tolist() == [mask.sum() for mask in by_hand]


def test_kinds_weigh_as_they_do_in_the_counts_that_serving_reads():
    assert POPULARITY_WEIGHTS.tolist() == [WEIGHTS["viewers"], WEIGHTS["carters"], WEIGHTS["buyers"]]
