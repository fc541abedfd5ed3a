"""Processes whose clock is off are named for a day, a bounded number of them."""

from __future__ import annotations

import pytest
import redis

from tracking import keys
from tracking.quality.clocks import MAX_PROCESSES, WrongClock, note_clocks, read_clocks

pytestmark = pytest.mark.redis
NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000


def test_the_newest_come_first_and_a_day_later_none(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.delete(keys.CLOCKS.pattern)
        note_clocks(client, {}, now_ms=NOW_MS)
        assert read_clocks(client, now_ms=NOW_MS) == []
        note_clocks(client, {"web:1": 7_200_000, "web:2": -61_000}, now_ms=NOW_MS)
        note_clocks(client, {"web:1": 7_100_000}, now_ms=NOW_MS + 5)
        assert read_clocks(client, now_ms=NOW_MS + 5) == [
            WrongClock("web:1", 7_100_000, NOW_MS + 5),
            WrongClock("web:2", -61_000, NOW_MS),
        ]
        assert read_clocks(client, now_ms=NOW_MS + 5 + DAY_MS) == []
        assert 0 < client.ttl(keys.CLOCKS.pattern) <= keys.CLOCKS.ttl_s


def test_more_processes_than_can_be_named_leave_those_that_are_known(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.delete(keys.CLOCKS.pattern)
        note_clocks(client, {f"web:{n}": 100_000 for n in range(MAX_PROCESSES + 20)}, now_ms=NOW_MS)
        note_clocks(client, {"web:999999": 1, "web:0": 200_000}, now_ms=NOW_MS + 1)
        found = {one.process: one.off_ms for one in read_clocks(client, now_ms=NOW_MS + 1)}
        assert len(found) == MAX_PROCESSES
        assert found["web:0"] == 200_000
        client.delete(keys.CLOCKS.pattern)
