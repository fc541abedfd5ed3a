"""The endpoint as a process: killed while ids are sent, with its log frozen and back, and under slow clients."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.services.redis_server import RedisServer
from tests.tracking.web_process import Web, send_forever
from tracking.log import open_log
from tracking.log.base import EventLog
from tracking.parsing import parse_record
from tracking.spool import Spool

pytestmark = pytest.mark.slow
EVENT = {"event": "page_view", "event_id": "event-0001", "ts": 1}
N_IDS, BATCH, N_CLIENTS = 100_000, 20, 24


def bodies(key: str) -> asyncio.Queue[tuple[list[str], bytes]]:
    queue: asyncio.Queue[tuple[list[str], bytes]] = asyncio.Queue()
    for start in range(0, N_IDS, BATCH):
        ids = [f"event-{number:08d}" for number in range(start, start + BATCH)]
        events = [{"event": "page_view", "event_id": one, "ts": 1} for one in ids]
        envelope = {"key": key, "anonymous_id": f"shopper-{start % 997:08d}", "events": events}
        queue.put_nowait((ids, json.dumps(envelope).encode()))
    return queue


def ids_in_log(log: EventLog) -> dict[str, int]:
    """Return how often each id is in the log."""
    seen: dict[str, int] = {}
    for partition in range(log.ensure_topic()):
        for record in log.read_all(partition):
            for event in parse_record(record.value).events:
                seen[event.event_id] = seen.get(event.event_id, 0) + 1
    return seen


def ids_in_spool(root: Path) -> set[str]:
    """Return the ids that wait on the disk; takes over what the dead left."""
    spool = Spool(root, max_bytes=10**9)
    spool.open()
    found: set[str] = set()
    while chunk := spool.peek():
        for _, value in chunk:
            found.update(event.event_id for event in parse_record(value).events)
        spool.forget(len(chunk))
    spool.close()
    return found


async def send_all_while(web: Web, trouble) -> set[str]:
    """Send all bodies while ``trouble`` goes on; return the ids answered with 202."""
    accepted: set[str] = set()
    queue = bodies(web.key)
    clients = [asyncio.create_task(send_forever(web.port, queue, accepted)) for _ in range(N_CLIENTS)]
    await trouble(queue)
    await asyncio.gather(*clients)
    return accepted


async def until_sent(queue: asyncio.Queue, share: float) -> None:
    while queue.qsize() > N_IDS / BATCH * (1 - share):  # noqa: ASYNC110  (a queue tells nobody how full it is)
        await asyncio.sleep(0.005)


@pytest.mark.redis
async def test_every_id_answered_with_202_outlives_kills_and_a_frozen_log(tmp_path, redis_url, own_server) -> None:
    log_server = own_server(RedisServer)
    web = Web(tmp_path, redis_url=redis_url, log_url=f"{log_server.url}?stream=killed&partitions=4").prepare().start()

    async def trouble(queue: asyncio.Queue) -> None:
        for round_number, share in enumerate((0.15, 0.35, 0.55, 0.75)):
            await until_sent(queue, share)
            is_frozen = round_number % 2 == 1
            if is_frozen:  # what comes now goes to the spool, and the kill hits a process that spools
                os.kill(log_server.pid, signal.SIGSTOP)
                await until_sent(queue, share + 0.1)
            web.kill()
            if is_frozen:
                os.kill(log_server.pid, signal.SIGCONT)
            await asyncio.to_thread(web.start)

    try:
        accepted = await send_all_while(web, trouble)
    finally:
        web.kill()
    in_log = ids_in_log(open_log(f"{log_server.url}?stream=killed&partitions=4"))
    in_spool = ids_in_spool(tmp_path / "spool")
    print(
        f"accepted={len(accepted)} log={len(in_log)} spool={len(in_spool)} twice={sum(in_log.values()) - len(in_log)}"
    )
    assert len(accepted) > N_IDS * 0.8
    assert accepted - in_log.keys() - in_spool == set()


@pytest.mark.kafka
async def test_every_id_answered_with_202_is_in_kafka(tmp_path, redis_url, kafka_bootstrap) -> None:
    address = f"kafka://{kafka_bootstrap}/killed-{time.monotonic_ns()}?partitions=4"
    log = open_log(address)
    log.ensure_topic(timeout_s=30)
    web = Web(tmp_path, redis_url=redis_url, log_url=address).prepare().start()

    async def trouble(queue: asyncio.Queue) -> None:
        for share in (0.3, 0.6):
            await until_sent(queue, share)
            web.kill()
            await asyncio.to_thread(web.start)

    try:
        accepted = await send_all_while(web, trouble)
        await asyncio.to_thread(web.stop)  # in good order: what the log takes is in the log
    finally:
        web.kill()
    in_log, in_spool = ids_in_log(log), ids_in_spool(tmp_path / "spool")
    print(
        f"accepted={len(accepted)} log={len(in_log)} spool={len(in_spool)} twice={sum(in_log.values()) - len(in_log)}"
    )
    assert len(accepted) > N_IDS * 0.8
    assert accepted - in_log.keys() - in_spool == set()


@pytest.mark.redis
async def test_slow_clients_are_sent_away_and_hold_nobody_up(tmp_path, redis_url) -> None:
    web = Web(tmp_path, redis_url=redis_url, log_url=f"{redis_url}?stream=slow&partitions=1").prepare().start()
    slow: list[socket.socket] = []
    try:
        for _ in range(200):
            stalled = socket.create_connection(("127.0.0.1", web.port), timeout=15)
            stalled.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{")
            slow.append(stalled)
        started = time.monotonic()
        accepted: set[str] = set()
        queue: asyncio.Queue[tuple[list[str], bytes]] = asyncio.Queue()
        event = {"event": "page_view", "event_id": "event-0001", "ts": 1}
        queue.put_nowait((["event-0001"], json.dumps({"key": web.key, "events": [event]}).encode()))
        await send_forever(web.port, queue, accepted)
        assert accepted == {"event-0001"}
        assert time.monotonic() - started < 1
        for stalled in slow:
            answer = await asyncio.to_thread(stalled.recv, 100)
            assert answer.startswith(b"HTTP/1.1 408"), answer
        assert time.monotonic() - started < 8
    finally:
        for stalled in slow:
            with contextlib.suppress(OSError):
                stalled.close()
        web.kill()


@pytest.mark.redis
async def test_request_heads_that_drip_are_sent_away_and_idle_pages_are_not(tmp_path, redis_url) -> None:
    web = Web(tmp_path, redis_url=redis_url, log_url=f"{redis_url}?stream=drip&partitions=1").prepare().start()
    try:
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as dripping:
            started = time.monotonic()
            dripping.sendall(b"POST /v1/events HTTP/1.1\r\nHost:")
            answer = await asyncio.to_thread(dripping.recv, 1_000)
            assert answer.startswith(b"HTTP/1.1 408")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "head_timeout"
            assert 4 < time.monotonic() - started < 7
        page = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
        for _ in range(3):  # keep-alive: a head's time begins with its first byte
            page.request("POST", "/v1/events", json.dumps({"key": web.key, "events": [EVENT]}))
            answered = await asyncio.to_thread(page.getresponse)
            assert (answered.status, bool(answered.read())) == (202, True)
            first = page.sock
            await asyncio.sleep(2)
            assert page.sock is first
        page.close()
    finally:
        web.kill()


def status_of(web: Web) -> int:
    body = json.dumps({"key": web.key, "events": [EVENT]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{web.port}/v1/events", body, {"Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


REVOKE = "from tracking import models, sites; [sites.revoke(key) for key in models.ApiKey.objects.all()]"


@pytest.mark.redis
@pytest.mark.parametrize("is_redis_there", [True, False])
def test_a_revoked_key_is_refused_within_five_seconds(tmp_path, redis_url, own_server, is_redis_there: bool) -> None:
    announcing = own_server(RedisServer)
    web = Web(tmp_path, redis_url=announcing.url, log_url=f"{redis_url}?stream=revoked&partitions=1")
    web.prepare().start()
    try:
        assert status_of(web) == 202
        if not is_redis_there:
            announcing.kill()
        web.manage("shell", "-v0", "-c", REVOKE)
        revoked_at = time.monotonic()
        while status_of(web) != 401:
            assert time.monotonic() - revoked_at < 5
            time.sleep(0.05)
        print(f"refused after {time.monotonic() - revoked_at:.2f} s")
    finally:
        web.kill()


@pytest.mark.redis
def test_with_the_database_and_redis_away_it_goes_on_collecting(tmp_path, redis_url, own_server) -> None:
    redis_away = own_server(RedisServer)
    web = Web(tmp_path, redis_url=redis_away.url, log_url=f"{redis_url}?stream=away&partitions=1").prepare().start()
    database = tmp_path / "recsite.sqlite3"
    try:
        assert status_of(web) == 202
        redis_away.kill()
        database.rename(tmp_path / "gone")
        database.mkdir()  # opening it fails from now on
        for _ in range(12):  # several refreshes of the keys long
            assert status_of(web) == 202
            time.sleep(0.5)
        assert "snapshot.load_failed topic=keys" in web.out.read_text()
    finally:
        web.kill()
