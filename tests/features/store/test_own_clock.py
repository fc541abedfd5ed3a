"""A worker's clock is compared with that of Redis, a real one; small differences are none."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
import redis

from features.store.own_clock import OwnClock
from tracking.contract.clocks import TOLERANCE_MS
from tracking.redis_client import connect

HOURS_MS = 2 * 3_600_000


def clock(ahead_ms: int) -> OwnClock:
    return OwnClock(lambda: time.time_ns() // 1_000_000 + ahead_ms)


@pytest.mark.redis
@pytest.mark.parametrize("ahead_ms", [HOURS_MS, -HOURS_MS])
def test_a_clock_that_is_off_is_known_by_how_much_and_put_right(redis_url: str, ahead_ms: int) -> None:
    own = clock(ahead_ms)
    with connect(redis_url, timeout_s=5) as client:
        own.look(client)

    assert abs(own.ahead_ms - ahead_ms) < TOLERANCE_MS
    assert abs(own.now_ms() - time.time_ns() // 1_000_000) < TOLERANCE_MS
    assert own.process.endswith(f":{os.getpid()}")


@pytest.mark.redis
@pytest.mark.parametrize("ahead_ms", [0, TOLERANCE_MS // 2, -TOLERANCE_MS // 2])
def test_a_clock_that_is_nearly_right_is_right_and_one_that_was_mended_too(redis_url: str, ahead_ms: int) -> None:
    own = clock(ahead_ms)
    own.ahead_ms = HOURS_MS
    with connect(redis_url, timeout_s=5) as client:
        own.look(client)

    assert own.ahead_ms == 0


def test_the_time_of_a_slow_answer_says_nothing_that_is_not_sure() -> None:
    moments = iter((0, 300_000))
    own = OwnClock(lambda: next(moments))

    class Slow:
        def time(self) -> tuple[int, int]:
            return (200, 0)

    own.look(Slow())  # type: ignore[arg-type]

    assert own.ahead_ms == 0


def test_of_a_cluster_one_node_is_enough_and_without_redis_everything_stays() -> None:
    class Cluster:
        def time(self) -> Any:
            return {"a": (1_000, 500_000)}

    own = OwnClock(lambda: 1_000_500 + HOURS_MS)
    own.look(Cluster())  # type: ignore[arg-type]
    assert own.ahead_ms == HOURS_MS
    with redis.Redis.from_url("redis://127.0.0.1:1/0") as client:
        own.look(client)
    assert own.ahead_ms == HOURS_MS
