"""The day is the last 24 hours, the month the last 30 days, and samples are the newest few."""

from __future__ import annotations

import time

import msgspec
import pytest
import redis

from tracking import keys
from tracking.quality.counts import HOUR_MS, Sample
from tracking.quality.reading import KEPT_DAYS, MAX_SAMPLES, read_quality

pytestmark = pytest.mark.redis
NOW_HOUR = 24 * 20_000 + 5
NOW_MS = NOW_HOUR * HOUR_MS + 1


def test_hours_and_days_add_up(redis_url: str) -> None:
    site = f"reading{time.monotonic_ns()}"
    today = NOW_HOUR // 24
    with redis.Redis.from_url(redis_url) as client:
        for hour, count in ((NOW_HOUR, 1), (NOW_HOUR - 23, 2), (NOW_HOUR - 24, 4)):
            client.hset(keys.quality_hour(site, hour), "events|view_item|browser", count)
        for day, count in ((today, 10), (today - KEPT_DAYS + 1, 20), (today - KEPT_DAYS, 40)):
            client.hset(keys.quality_day(site, day), "events|view_item|browser", count)
        client.hset(keys.quality_day(site, today), "events|search|server", 99)
        found = read_quality(client, site, now_ms=NOW_MS)
    assert list(found.of("events").items()) == [(("search", "server"), (0, 99)), (("view_item", "browser"), (3, 30))]


def test_the_newest_samples_come_first(redis_url: str) -> None:
    site = f"reading{time.monotonic_ns()}"
    today = NOW_HOUR // 24
    with redis.Redis.from_url(redis_url) as client:
        for age in range(6):
            sample = Sample(at_ms=age, path="p", value=f"{age} days ago", remedy="r")
            client.hset(keys.quality_samples(site, today - age), "mended|price|reread", msgspec.json.encode(sample))
        found = read_quality(client, site, now_ms=NOW_MS)
        assert read_quality(client, "nobody", now_ms=NOW_MS).of("events") == {}
    kept = [sample.value for sample in found.samples["mended", "price", "reread"]]
    assert kept == [f"{age} days ago" for age in range(MAX_SAMPLES)]
