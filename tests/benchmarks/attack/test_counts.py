"""The measurement sees an attack: a shop that tells everything apart pays for each made-up id."""

from __future__ import annotations

import random
import time

import pytest

from benchmarks.attack import counts
from features.state.counting import unknown

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def test_made_up_ids_cost_what_is_told_apart_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = counts._made_up_ids(n_requests=10)["redis_bytes_per_made_up_id"]
    monkeypatch.setattr(unknown, "MIN_UNKNOWN_ITEMS", 10**9)
    unbounded = counts._made_up_ids(n_requests=10)["redis_bytes_per_made_up_id"]

    assert unbounded > 5 * bounded > 0


def test_a_shop_counts_what_its_users_do() -> None:
    rng = random.Random(3)
    now_ms = time.time_ns() // 1_000_000
    with counts.shop("counted") as shop:
        line = {"item_id": shop.items[-1]}
        shop.take([(counts._anonymous_id(rng), [counts._event(rng, "view_item", [line], now_ms)]) for _ in range(50)])
        shop.merge()
        assert shop.top() == [shop.items[-1]]
