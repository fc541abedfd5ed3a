"""What users did in a span of 24 hours, counted by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from recommendations.monitoring import archive_profile
from recommendations.monitoring.archive_profile import DAY_MS, Day, day_of, days_before
from tests.recommendations.archives import write_sessions

UNTIL_MS = 20_000 * DAY_MS + DAY_MS // 2  # noon: a span touches two dates


def test_a_day_is_counted_by_hand() -> None:
    minute = 60_000
    frame = pl.DataFrame(
        [
            ("a:1", "s1", "view_item", "x", 10.0, 0),
            ("a:1", "s1", "add_to_cart", "x", 10.0, minute // 2),
            ("a:1", "s2", "view_item", "y", 90.0, 120 * minute),
            ("a:2", None, "view_item", "z", None, 5 * minute),
        ],
        schema=["user_key", "session_id", "event", "item_id", "price", "occurred_at_ms"],
        orient="row",
    )

    day = day_of(frame, categories_of=lambda items: {"x": "Shoes > Boots", "y": "Shoes", "z": ""})

    assert [day.profile.sessions, day.profile.events, dict(day.item_events)] == [3, 4, {"x": 2, "y": 1, "z": 1}]
    assert day.profile.counts == {
        "session_length": {"2": 1, "1": 2},
        "recency": {"first of the day": 2, "under 1 min": 1, "longer": 1},
        "price": {"8+": 2, "64+": 1, "none": 1},
        "kind": {"view_item": 3, "add_to_cart": 1},
        "category": {"Shoes": 3, "none": 1},
    }
    assert sorted(day.sessions) == [("x", "x"), ("y",), ("z",)]


def test_days_end_at_the_moment_that_is_asked_for_newest_first(tmp_path: Path) -> None:
    write_sessions(
        tmp_path,
        "shop",
        [
            (UNTIL_MS - 2 * DAY_MS, ["oldest"]),
            (UNTIL_MS - DAY_MS - 1, ["older"]),
            (UNTIL_MS - DAY_MS, ["first", "second"]),
            (UNTIL_MS, ["too late"]),
        ],
    )
    write_sessions(tmp_path, "shop", [(UNTIL_MS - 1000, ["of a bot"])], bot=True)

    days = list(days_before(str(tmp_path), site="shop", until_ms=UNTIL_MS, days=3, categories_of=lambda items: {}))

    assert [dict(day.item_events) for day in days] == [{"first": 1, "second": 1}, {"older": 1, "oldest": 1}, {}]
    assert days[2] == Day()


def test_of_many_sessions_some_are_kept_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_profile, "SAMPLED_SESSIONS", 3)
    rows = [("a:1", f"s{number}", "view_item", f"i{number}", 1.0, number * 60_000) for number in range(9)]
    frame = pl.DataFrame(
        rows, schema=["user_key", "session_id", "event", "item_id", "price", "occurred_at_ms"], orient="row"
    )

    day = day_of(frame, categories_of=lambda items: {})

    assert day.sessions == [("i0",), ("i3",), ("i6",)]
    assert day.profile.sessions == 9, "all are counted"


def test_only_the_most_touched_items_are_asked_for_their_category(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_profile, "MAX_NAMED_ITEMS", 1)
    rows = [("a:1", "s", "view_item", item, 1.0, number) for number, item in enumerate(["rare", "usual", "usual"])]
    frame = pl.DataFrame(
        rows, schema=["user_key", "session_id", "event", "item_id", "price", "occurred_at_ms"], orient="row"
    )

    day = day_of(frame, categories_of=lambda items: dict.fromkeys(items, "Hats > Wool"))

    assert day.profile.counts["category"] == {"Hats": 2}
