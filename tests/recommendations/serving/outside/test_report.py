"""What processes say of a service reaches Redis in the background, and the admin from there."""

from __future__ import annotations

import os
from typing import Any

import pytest

from recommendations.retrieval.outside.breaker import Breaker, Circuit
from recommendations.serving.outside.report import OLD_S, Reporter, said_of

pytestmark = pytest.mark.redis

NOW_S = 2_000_000_000


@pytest.fixture(autouse=True)
def redis(redis_url: str, settings: Any) -> None:
    settings.REDIS_URL = redis_url


def test_news_of_a_service_is_read_by_whoever_asks_and_no_news_is_not_written() -> None:
    reporter, breaker = Reporter(), Breaker("shop", "told")
    breaker.answered()

    reporter.note(breaker)
    reporter.note(breaker)
    reporter.flush()
    breaker.failed("slow", "no answer within 20 ms")
    reporter.note(breaker)
    reporter.stop()

    said = said_of("shop", "told", now_s=0)
    assert said is not None
    assert [(each.state, each.counts, each.last_error) for each in said] == [
        ("failing", {"answered": 1, "slow": 1}, "no answer within 20 ms")
    ]
    assert said[0].process.endswith(f":{os.getpid()}")
    assert said[0].words == Circuit.FAILING.label


def test_what_was_said_long_ago_is_of_nobody() -> None:
    reporter, breaker = Reporter(), Breaker("shop", "old")
    breaker.answered()
    reporter.note(breaker)
    reporter.stop()

    (said,) = said_of("shop", "old", now_s=0) or []
    assert said_of("shop", "old", now_s=said.at_s + OLD_S + 1) == []


def test_without_redis_nothing_is_known(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert said_of("shop", "told", now_s=0) is None
