"""A server that sends a request again gets the first answer again."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.services.redis_server import RedisServer
from tests.tracking.asgi_client import Answered, call
from tests.tracking.conftest import SECRET, an_event, records_in
from tracking.collect.endpoint import Collector
from tracking.collect.idempotency import Idempotency
from tracking.collect.live_events import LiveEvents
from tracking.exceptions import LogUnavailable
from tracking.http.edge import HotPath
from tracking.http.quotas import Quotas

pytestmark = pytest.mark.redis


@pytest_asyncio.fixture
async def endpoint(install_keys, durable, redis_url: str) -> AsyncIterator[HotPath]:
    install_keys(slug=f"shop{time.monotonic_ns()}")
    idempotency = Idempotency(redis_url, timeout_s=1.0)
    collector = Collector(durable, quotas=Quotas(), live=LiveEvents(), idempotency=idempotency)
    yield HotPath(collector.collect, name="collect-test")
    await idempotency.close()


async def send(endpoint: HotPath, event: dict[str, Any], *, key: str = "order-1") -> Answered:
    body = json.dumps({"user_id": "7", "events": [event]}).encode()
    return await call(endpoint, body, headers={"x-api-key": SECRET, "idempotency-key": key})


async def test_the_same_request_again_is_answered_and_not_stored_again(endpoint, memory_log) -> None:
    event = an_event()
    first, again = await send(endpoint, event), await send(endpoint, event)
    assert (first.status, first.body) == (again.status, again.body)
    assert (first.header("idempotent-replayed"), again.header("idempotent-replayed")) == (None, "true")
    assert len(records_in(memory_log)) == 1


async def test_the_key_with_another_body_is_refused(endpoint) -> None:
    await send(endpoint, an_event())
    answer = await send(endpoint, an_event())
    assert (answer.status, answer.json["error"]) == (422, "idempotency_key_reused")


async def test_a_request_that_failed_may_be_sent_again(endpoint, memory_log, spool, monkeypatch) -> None:
    event = an_event()
    memory_log.fail_with(LogUnavailable("down"))
    monkeypatch.setattr(spool, "_max_bytes", 1)
    assert (await send(endpoint, event)).status == 503
    monkeypatch.setattr(spool, "_max_bytes", 10**6)
    answer = await send(endpoint, event)
    assert (answer.status, answer.header("idempotent-replayed")) == (202, None)


async def test_a_malformed_key_is_refused(endpoint) -> None:
    answer = await send(endpoint, an_event(), key="with a space")
    assert (answer.status, answer.json["field"]) == (400, "idempotency-key")


async def test_without_redis_requests_are_simply_answered(install_keys, durable, memory_log) -> None:
    install_keys()
    alone = Idempotency("redis://127.0.0.1:1/0", timeout_s=0.05)
    endpoint = HotPath(
        Collector(durable, quotas=Quotas(), live=LiveEvents(), idempotency=alone).collect, name="collect-test"
    )
    event = an_event()
    assert [(await send(endpoint, event)).status for _ in range(2)] == [202, 202]
    assert len(records_in(memory_log)) == 2


async def test_a_redis_that_is_full_makes_the_key_count_for_nothing_and_loses_no_event(
    install_keys, durable, memory_log, caplog
) -> None:
    install_keys(slug=f"shop{time.monotonic_ns()}")
    with RedisServer("--maxmemory", "1") as full:
        idempotency = Idempotency(full.url, timeout_s=1.0)
        collector = Collector(durable, quotas=Quotas(), live=LiveEvents(), idempotency=idempotency)
        answer = await send(HotPath(collector.collect, name="collect-full"), an_event())
        await idempotency.close()

    assert (answer.status, len(records_in(memory_log))) == (202, 1)
    assert "idempotency.unavailable" in caplog.text
    assert "remedy=Redis is full" in caplog.text
    assert "Traceback" not in caplog.text
