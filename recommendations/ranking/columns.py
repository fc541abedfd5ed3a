"""The ranker's columns by name and in order, and how many candidates each source proposes.

These names stand in the manifests of trained versions, and a ranker finds its columns by them: after a rename here,
every site's ranker misses one until it is trained again. That is why ``day_demand`` and ``demand_trend`` keep the names
of version 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CANDIDATES_PER_SOURCE: Mapping[str, int] = {
    "sessions": 60,
    "tfidf": 40,
    "covisitation": 30,
    "next": 20,
    "walk": 80,
    "around": 40,
    "factors": 40,
    "popularity": 10,
}
"""How many candidates each source proposes; what a user has in the session is always a candidate too."""

LIST_DEPTH = 100
"""How deep the sources' lists are read for ranks and scores; training and serving ask for at least this many."""

ITEM_COLUMNS = ("log_count", "log_recent", "trend", "reload_rate", "return_rate", "cart_rate", "conversion")
PAIR_COLUMNS = ("next_of_second", "next_of_third", "cosine_to_newest", "cosine_to_session")
NEWEST_COLUMNS = ("newest_log_count", "newest_reload_rate")


CANDIDATE_COLUMNS = (
    "times_seen",
    "last_age",  # how many views ago
    "first_age",
    "newer_items",  # how many other items were seen since
    "reloads",  # seen twice in a row, so often
    "before_newest",  # how often it came just before the newest item
    "after_newest",  # how often it came just after it
)
HABIT_COLUMNS = (
    "session_length",
    "distinct_items",
    "newest_repeats",
    "newest_times",
    "newest_before",  # how long ago the newest item was seen before now
    "reload_share",
    "return_share",  # of the steps, those that went back to an item that was not the one just seen
)
SESSION_COLUMNS = CANDIDATE_COLUMNS + HABIT_COLUMNS
"""The first are of a candidate in a session, the others of a session."""

ITEM_FEATURES: Final = ("log_price", "category", "department", "brand")
"""Columns of ``RankingTables.item_facts``: the natural logarithm of the price in the main unit, and codes from 1."""

AFFINITY_COLUMNS: Final = (
    "log_price",
    "price_to_session",
    "price_to_orders",
    "category_share",
    "department_share",
    "brand_share",
)
USER_COLUMNS: Final = (
    "orders",
    "order_age",
    "spent",
    "recency_score",
    "frequency_score",
    "monetary_score",
)
POPULARITY_COLUMNS: Final = ("day_demand", "demand_trend")

COLUMNS: tuple[str, ...] = (
    *(f"{source}_{value}" for source in CANDIDATES_PER_SOURCE for value in ("rank", "score", "share", "mass")),
    "source_count",
    *SESSION_COLUMNS,
    *PAIR_COLUMNS,
    *ITEM_COLUMNS,
    *NEWEST_COLUMNS,
    *AFFINITY_COLUMNS,
    *USER_COLUMNS,
    *POPULARITY_COLUMNS,
)
"""The columns of the matrix, in order; a graph remembers the list it was trained with."""
