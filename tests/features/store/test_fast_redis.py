"""Reading from Redis: what counts as late, and when it is not asked any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import uvloop

from features.exceptions import StoreUnavailable
from features.store.fast_redis import SharedConnection
from features.store.reader import OnlineReader
from tests.services.process import Server
from tests.services.redis_server import RedisServer

pytestmark = pytest.mark.redis
TIMEOUT_S = 0.025


def run(loop: str, work: Coroutine[Any, Any, Any]) -> Any:
    return uvloop.run(work) if loop == "uvloop" else asyncio.run(work)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_answer_that_waits_for_a_busy_process_is_not_late(redis_url: str, loop: str) -> None:
    async def read() -> list[Any]:
        connection = SharedConnection(redis_url, timeout_s=TIMEOUT_S)
        await connection.execute("SET", "fast-redis", "here", "EX", 60)
        reads = [asyncio.create_task(connection.execute("GET", "fast-redis")) for _ in range(20)]
        await asyncio.sleep(0)  # they are on their way
        time.sleep(4 * TIMEOUT_S)  # noqa: ASYNC251  # sleep: the process is busy, as when it loads a model
        found = await asyncio.gather(*reads, return_exceptions=True)
        await connection.close()
        return found

    assert run(loop, read()) == [b"here"] * 20


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_redis_that_does_not_answer_is_given_up_in_time(
    own_server: Callable[[Callable[[], Server]], Server], loop: str
) -> None:
    server = cast(RedisServer, own_server(RedisServer))

    async def read() -> float:
        connection = SharedConnection(server.url, timeout_s=TIMEOUT_S)
        await connection.execute("PING")
        server.freeze()
        started = time.perf_counter()
        with pytest.raises(StoreUnavailable, match="did not answer within"):
            await connection.execute("GET", "fast-redis")
        return time.perf_counter() - started

    try:
        took_s = run(loop, read())
    finally:
        server.thaw()
    assert TIMEOUT_S <= took_s < 5  # on a busy machine; a frozen server would hold it for ever


async def test_one_pause_of_redis_is_one_failure_however_many_were_waiting(
    own_server: Callable[[Callable[[], Server]], Server],
) -> None:
    server = cast(RedisServer, own_server(RedisServer))
    reader = OnlineReader(server.url, partitions=4, timeout_s=TIMEOUT_S)

    async def read() -> bool:
        try:
            await reader.read_user("shop", user_id=None, anonymous_id="0" * 32)
        except StoreUnavailable:
            return False
        return True

    assert await read()
    server.freeze()
    try:
        during = await asyncio.gather(*(read() for _ in range(50)))
    finally:
        server.thaw()

    async with asyncio.timeout(TIMEOUT_S * 20):  # and not the half second for which nobody is let through
        while not await read():
            pass
    assert not any(during)
    await reader.close()


async def test_a_redis_that_stays_away_is_soon_not_waited_for(
    own_server: Callable[[Callable[[], Server]], Server],
) -> None:
    server = cast(RedisServer, own_server(RedisServer))
    reader = OnlineReader(server.url, partitions=4, timeout_s=TIMEOUT_S)
    await reader.read_user("shop", user_id=None, anonymous_id="0" * 32)
    server.freeze()
    took_s = []
    try:
        for _ in range(8):
            started = time.perf_counter()
            with pytest.raises(StoreUnavailable):
                await reader.read_user("shop", user_id=None, anonymous_id="0" * 32)
            took_s.append(time.perf_counter() - started)
    finally:
        server.thaw()
    await reader.close()

    assert max(took_s[3:]) < TIMEOUT_S, "three failures in a row, and nobody waits any more"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_connection_that_is_lost_between_connecting_and_sending_is_unavailable(redis_url: str, loop: str) -> None:
    """Many readers wait for one connection; whoever comes first drops it, and none of the others breaks."""

    async def read() -> list[Any]:
        connection = SharedConnection(redis_url, timeout_s=1.0)

        async def one(number: int) -> Any:
            if number == 0:
                await connection._connected()
                connection.reset()
            return await connection.execute("PING")

        return await asyncio.gather(*(one(number) for number in range(50)), return_exceptions=True)

    answers = run(loop, read())
    assert all(answer == b"PONG" or isinstance(answer, StoreUnavailable) for answer in answers), answers
    assert any(isinstance(answer, StoreUnavailable) for answer in answers), "nothing was lost: the test shows nothing"
