"""What only the Redis Streams backend has: numbers, caps, trimming, lost data, leases, and its client."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

import pytest
import redis

from tests.services.process import Server
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking import redis_client
from tracking.log import LogUnavailable, open_log, partition_for
from tracking.log.base import BEGINNING, Position
from tracking.log.redis_reader import RedisStreamsReader
from tracking.log.redis_streams import RedisStreamsLog
from tracking.log.redis_topic import sequence

pytestmark = pytest.mark.redis
KEY = b"one user"


def make_log(url: str, **options: object) -> RedisStreamsLog:
    query = "&".join(f"{name}={value}" for name, value in {"partitions": 1, **options}.items())
    log = open_log(f"{url}?stream=t-{uuid.uuid4().hex}&{query}")
    assert isinstance(log, RedisStreamsLog)
    log.ensure_topic()
    return log


async def append(log: RedisStreamsLog, *values: bytes) -> list[LogUnavailable | None]:
    writer = log.writer()
    await writer.start()
    outcomes = await writer.append_many([(KEY, value) for value in values], timeout_s=5)
    await writer.close()
    return outcomes


def reader_of(log: RedisStreamsLog, stored: dict[int, Position] | None = None) -> RedisStreamsReader:
    reader = log.reader("group", on_assigned=lambda _: stored or {}, on_revoked=lambda _: None)
    assert isinstance(reader, RedisStreamsReader)
    return reader


def read_until(reader: RedisStreamsReader, count: int) -> list[bytes]:
    seen: list[bytes] = []

    def read() -> bool:
        try:
            polled = reader.poll(0.05, 1_000)
        except LogUnavailable:
            return False
        seen.extend(record.value for records in polled.values() for record in records)
        return len(seen) >= count

    wait_until(read, f"{count} records")
    return seen


async def test_numbers_go_up_by_one_and_carry_the_time(redis_url):
    log = make_log(redis_url)
    await append(log, b"0", b"1")
    await append(log, b"2")
    records = log.read_range(0)
    numbers = [sequence(record.position) for record in records]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert all(abs(record.timestamp_ms - time.time() * 1000) < 5_000 for record in records)


async def test_a_stream_at_its_cap_refuses_and_keeps_everything(redis_url):
    log = make_log(redis_url, max_records=3)
    assert await append(log, b"0", b"1", b"2") == [None] * 3
    [refused] = await append(log, b"3")
    assert "its cap is 3" in str(refused)
    assert [record.value for record in log.read_range(0)] == [b"0", b"1", b"2"]


async def test_a_stream_that_may_trim_itself_stays_near_its_cap(redis_url):
    log = make_log(redis_url, max_records=200, when_full="trim")
    for start in range(0, 2_000, 250):
        assert await append(log, *(b"%d" % number for number in range(start, start + 250))) == [None] * 250
    kept = [int(record.value) for record in log.read_range(0, limit=5_000)]
    assert 200 <= len(kept) <= 400
    assert kept == list(range(2_000 - len(kept), 2_000))


async def test_trimming_keeps_the_unapplied_and_the_newest_of_the_applied(redis_url):
    log = make_log(redis_url, keep_records=100)
    await append(log, *(b"%d" % number for number in range(1_000)))
    applied = log.read_range(0, limit=800)[-1].position

    assert log.trim({0: ""}) == 0
    trimmed = log.trim({0: applied})

    kept = [int(record.value) for record in log.read_range(0, limit=5_000)]
    assert trimmed == 1_000 - len(kept)
    assert kept[-1] == 999
    assert 600 <= kept[0] <= 700  # whole nodes of the stream are dropped, so a little more stays


async def test_lag_is_exact_after_trimming(redis_url):
    log = make_log(redis_url, keep_records=1)
    await append(log, *(b"%d" % number for number in range(300)))
    reader = reader_of(log)
    read_until(reader, 300)
    log.trim(log.end_positions())
    await append(log, b"new", b"newer")
    assert reader.lag() == {0: 2}
    reader.close()


async def test_a_server_out_of_memory_is_an_unavailable_log(own_server):
    server = own_server(lambda: RedisServer("--maxmemory", "3mb", "--maxmemory-policy", "noeviction"))
    assert isinstance(server, RedisServer)
    log = make_log(server.url)
    outcomes = await append(log, *(b"x" * 100_000 for _ in range(60)))
    refused = [outcome for outcome in outcomes if outcome is not None]
    if not refused:
        refused = [outcome for outcome in await append(log, b"x" * 100_000) if outcome is not None]
    assert "maxmemory" in str(refused[0])


@pytest.mark.expects_errors(r"log\.position_foreign")
async def test_a_server_that_lost_its_data_is_said_and_its_new_records_are_read_when_asked(own_server, caplog):
    server: Server = own_server(lambda: RedisServer("--appendonly", "no"))
    assert isinstance(server, RedisServer)
    log = make_log(server.url)
    await append(log, b"old", b"older")
    reader = reader_of(log)
    assert read_until(reader, 2) == [b"old", b"older"]

    server.kill()
    server.start()
    with caplog.at_level(logging.ERROR, logger="tracking.log"):
        await append(log, b"new")
        wait_until(lambda: not reader.poll(0.05, 10) and 0 in reader.refused(), within_s=20)
        assert "deleted and made again" in str(reader.refused()[0])
        reader.seek(0, BEGINNING)
        assert read_until(reader, 1) == [b"new"]
        assert reader.refused() == {}
    reader.close()


@pytest.mark.expects_errors(r"log\.position_foreign")
async def test_a_stored_position_beyond_the_stream_is_refused(redis_url, caplog):
    log = make_log(redis_url)
    await append(log, b"0")
    with caplog.at_level(logging.ERROR, logger="tracking.log"):
        reader = reader_of(log, {0: "9000000000000000-1"})
        wait_until(lambda: not reader.poll(0.05, 10) and 0 in reader.refused(), within_s=20)
    reader.close()
    assert "log.position_foreign" in caplog.text


@pytest.mark.expects_errors(r"log\.records_gone")
async def test_records_that_were_trimmed_before_they_were_read_are_said(redis_url, caplog):
    log = make_log(redis_url, keep_records=1)
    await append(log, *(b"%d" % number for number in range(500)))
    first = log.read_range(0, limit=1)[0].position
    log.trim(log.end_positions())
    with caplog.at_level(logging.ERROR, logger="tracking.log"):
        reader = reader_of(log, {0: first})
        read_until(reader, 1)
    reader.close()
    assert "log.records_gone" in caplog.text


async def test_the_number_of_partitions_is_the_one_the_topic_was_made_with(redis_url):
    log = make_log(redis_url, partitions=2)
    other = open_log(f"{redis_url}?stream={log.topic}&partitions=5")
    assert other.ensure_topic() == 2
    writer = other.writer()
    await writer.start()
    for number in range(20):
        await writer.append(b"user-%d" % number, b"v", timeout_s=5)
    await writer.close()
    assert sum(len(log.read_range(partition)) for partition in range(2)) == 20
    assert log.read_range(partition_for(b"user-3", 2))


async def test_a_reader_that_was_silent_too_long_is_told_that_its_partitions_are_gone(redis_url):
    log = make_log(redis_url)
    revoked: list[int] = []
    reader = log.reader("group", on_assigned=lambda _: {}, on_revoked=revoked.extend)
    while not reader.assignment():
        reader.poll(0.01, 10)
    thief = redis.Redis.from_url(redis_url)
    thief.set(log.address.lease(0, "group"), "another member", px=60_000)

    give_up_at = time.monotonic() + 10
    while reader.assignment():
        assert time.monotonic() < give_up_at
        reader.poll(0.05, 10)
    assert revoked == [0]
    thief.delete(log.address.lease(0, "group"))
    while not reader.assignment():
        assert time.monotonic() < give_up_at + 10
        reader.poll(0.05, 10)
    reader.close()
    thief.close()


async def test_many_readers_share_many_partitions_evenly(redis_url):
    log = make_log(redis_url, partitions=8)
    readers = [reader_of(log) for _ in range(3)]

    def shares() -> list[int]:
        return sorted(len(reader.assignment()) for reader in readers)

    give_up_at = time.monotonic() + 20
    while shares() != [2, 3, 3]:
        assert time.monotonic() < give_up_at, shares()
        for reader in readers:
            reader.poll(0.02, 10)
    assert frozenset().union(*(reader.assignment() for reader in readers)) == set(range(8))
    for reader in readers:
        reader.close()


async def ping(client: redis.Redis) -> bool:
    answer = client.ping()
    return answer if isinstance(answer, bool) else await answer


@pytest.mark.parametrize("make", [redis_client.connect, redis_client.connect_async], ids=["sync", "async"])
async def test_a_frozen_server_costs_a_client_one_time_out(own_server, make: Callable[..., redis.Redis]):
    server = own_server(RedisServer)
    assert isinstance(server, RedisServer)
    client = make(server.url, timeout_s=0.1)
    assert await ping(client)
    server.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(redis_client.UNAVAILABLE):
            await ping(client)
        assert time.monotonic() - started < 5  # on a busy machine; a frozen server would hold it for ever
    finally:
        server.thaw()
    if make is redis_client.connect:
        client.close()
    else:
        await client.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://host", "has the scheme 'http'"),
        ("redis://", "needs a host"),
        ("redis://host:x", "no valid port"),
        ("redis://user:hidden@host/one", "names the database 'one'"),
    ],
)
def test_a_malformed_redis_url_is_named_without_its_password(url, message):
    with pytest.raises(redis_client.InvalidRedisUrl) as refused:
        redis_client.connect(url, timeout_s=1)
    assert message in str(refused.value)
    assert "hidden" not in str(refused.value)
