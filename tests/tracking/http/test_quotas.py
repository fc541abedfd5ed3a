"""Quotas: decided at once, added up over processes, each on its own while Redis is unavailable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking.http import quotas
from tracking.http.edge import Refusal
from tracking.http.quotas import Quotas


@pytest.fixture
def make(monkeypatch) -> Iterator[Callable[[str], Quotas]]:
    monkeypatch.setattr(quotas, "SYNC_S", 0.02)
    made: list[Quotas] = []

    def build(url: str) -> Quotas:
        made.append(Quotas())
        made[-1].start(url)
        return made[-1]

    yield build
    for one in made:
        one.stop()


def taken(quota: Quotas, *, times: int, per_minute: int, subject: str = "shop:1") -> int:
    """Return how many of ``times`` requests were let through."""
    passed = 0
    for _ in range(times):
        try:
            quota.take("events", subject, amount=1, per_minute=per_minute)
        except Refusal:
            continue
        passed += 1
    return passed


def test_a_quota_lets_through_what_it_says_and_no_more() -> None:
    assert taken(Quotas(), times=25, per_minute=10) == 10


def test_subjects_and_quotas_are_counted_apart() -> None:
    quota = Quotas()
    assert taken(quota, times=5, per_minute=3) == 3
    assert taken(quota, times=5, per_minute=3, subject="shop:2") == 3


def test_no_quota_is_no_limit() -> None:
    assert taken(Quotas(), times=500, per_minute=0) == 500


def test_the_next_minute_starts_at_zero_and_the_refusal_says_when() -> None:
    quota = Quotas()
    quota.take("events", "shop:1", amount=10, per_minute=10, now=60.0)
    with pytest.raises(Refusal) as refused:
        quota.take("events", "shop:1", amount=1, per_minute=10, now=75.5)
    assert (refused.value.status, refused.value.retry_after_s) == (429, 45)
    quota.take("events", "shop:1", amount=10, per_minute=10, now=120.0)


def test_memory_is_bounded_whoever_asks(monkeypatch) -> None:
    monkeypatch.setattr(quotas, "MAX_COUNTS", 100)
    quota = Quotas()
    for number in range(1_000):
        quota.take("requests", f"shop:{number}", amount=1, per_minute=10, now=60.0)
    assert len(quota._counts) <= 100


@pytest.mark.redis
def test_processes_share_one_quota(make, redis_url: str) -> None:
    subject = f"shop:{time.monotonic_ns()}"
    first, second = make(redis_url), make(redis_url)
    assert taken(first, times=60, per_minute=100, subject=subject) == 60
    wait_until(lambda: first._counts["events", subject].unsent == 0)
    taken(second, times=10, per_minute=100, subject=subject)
    wait_until(lambda: second._counts["events", subject].seen >= 70)
    assert taken(second, times=60, per_minute=100, subject=subject) == 30


@pytest.mark.redis
def test_what_stays_far_below_its_limit_is_never_written(make, redis_url: str) -> None:
    subject = f"shop:{time.monotonic_ns()}"
    quota = make(redis_url)
    taken(quota, times=2, per_minute=1_000, subject=subject)
    taken(quota, times=900, per_minute=1_000, subject=subject + "x")
    wait_until(lambda: quota._counts["events", subject + "x"].unsent == 0)
    with redis.Redis.from_url(redis_url) as client:
        names = [name.decode() for name in client.scan_iter(match="rs:quota*", count=1_000)]
        assert not any(name.split(":")[-2] == subject.split(":")[-1] for name in names)
        [written] = [name for name in names if subject + "x" in name]
        assert 0 < client.ttl(written) <= 120


@pytest.mark.redis
def test_with_redis_down_each_process_is_on_its_own_and_joins_again(make, own_server, caplog) -> None:
    server = own_server(RedisServer)
    server.kill()
    quota = make(server.url)
    assert taken(quota, times=30, per_minute=20) == 20
    wait_until(lambda: "background.unavailable owner=quotas" in caplog.text)
    server.start()
    wait_until(lambda: quota._counts["events", "shop:1"].unsent == 0)


@pytest.mark.redis
def test_what_a_process_counted_is_not_lost_when_it_stops(redis_url: str, monkeypatch) -> None:
    monkeypatch.setattr(quotas, "WINDOW_S", 10**9)  # no minute ends meanwhile
    monkeypatch.setattr(quotas, "SYNC_S", 3_600.0)  # nothing but the stop shares it
    subject = f"shop:{time.monotonic_ns()}"
    first = Quotas()
    first.start(redis_url)
    assert taken(first, times=60, per_minute=100, subject=subject) == 60
    first.stop()

    monkeypatch.setattr(quotas, "SYNC_S", 0.02)
    second = Quotas()
    second.start(redis_url)
    try:
        taken(second, times=10, per_minute=100, subject=subject)
        wait_until(lambda: second._counts["events", subject].seen >= 70)
    finally:
        second.stop()
