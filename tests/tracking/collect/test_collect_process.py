"""The endpoint as a process: under slow clients, with a revoked key, and with the parts beside the log unavailable."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import time
import urllib.error
import urllib.request

import pytest

from tests.services.redis_server import RedisServer
from tests.services.waiting import outlast_async, stays, wait_until
from tests.tracking.web_process import Web, send_forever

pytestmark = pytest.mark.slow
EVENT = {"event": "page_view", "event_id": "event-0001", "ts": 1}


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
        assert time.monotonic() - started < 4.5  # before any of the slow ones is sent away
        for stalled in slow:
            answer = await asyncio.to_thread(stalled.recv, 100)
            assert answer.startswith(b"HTTP/1.1 408"), answer
        assert time.monotonic() - started < 30  # all at once, not one after the other
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
            assert 4 < time.monotonic() - started < 30
        page = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
        for _ in range(3):  # keep-alive: a head's time begins with its first byte
            page.request("POST", "/v1/events", json.dumps({"key": web.key, "events": [EVENT]}))
            answered = await asyncio.to_thread(page.getresponse)
            assert (answered.status, bool(answered.read())) == (202, True)
            first = page.sock
            await outlast_async(2, "an idle page of a while")
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


REVOKE = """
from tracking.access.sites import revoke
from tracking.models import ApiKey
for key in ApiKey.objects.all():
    revoke(key)
"""


@pytest.mark.redis
@pytest.mark.parametrize("is_redis_there", [True, False])
def test_a_revoked_key_is_refused_within_seconds(tmp_path, redis_url, own_server, is_redis_there: bool) -> None:
    announcing = own_server(RedisServer)
    web = Web(tmp_path, redis_url=announcing.url, log_url=f"{redis_url}?stream=revoked&partitions=1")
    web.prepare().start()
    try:
        assert status_of(web) == 202
        if not is_redis_there:
            announcing.kill()
        web.manage("shell", "-v0", "-c", REVOKE)
        revoked_at = time.monotonic()
        wait_until(lambda: status_of(web) == 401, "the key to be refused")
        print(f"refused after {time.monotonic() - revoked_at:.2f} s")
    finally:
        web.kill()


@pytest.mark.redis
def test_with_the_database_and_redis_down_it_goes_on_collecting(tmp_path, redis_url, own_server) -> None:
    redis_down = own_server(RedisServer)
    web = Web(tmp_path, redis_url=redis_down.url, log_url=f"{redis_url}?stream=away&partitions=1").prepare().start()
    database = tmp_path / "recsite.sqlite3"
    try:
        assert status_of(web) == 202
        redis_down.kill()
        database.rename(tmp_path / "gone")
        database.mkdir()  # opening it fails from now on

        def failed_and_collects() -> bool:
            assert status_of(web) == 202
            return "snapshot.load_failed topic=keys" in web.out.read_text()

        wait_until(failed_and_collects, "a refresh of the keys to fail")
        assert stays(lambda: status_of(web) == 202, for_s=3.0, step_s=0.2), "also after several refreshes"
    finally:
        web.kill()
