"""An erased shopper is in no store, and does not come back: not from log, spool or dead letters, nor by a replay."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import redis

from tests.end_to_end.conftest import Running, start_installation, stop_installation
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking.access.identity import sign_token

USER, ANONYMOUS = "customer-4711", "feedfacefeedfacefeedfacefeedface"
TASKS = "from features import tasks; tasks.import_dead_letters(); tasks.store_profiles(); tasks.recompute_segments()"


def content_of(client: Any, key: bytes) -> object:
    """Return what stands under a key of Redis."""
    kind = client.type(key)
    if kind == b"stream":
        return client.xrange(key)
    if kind == b"list":
        return client.lrange(key, 0, -1)
    if kind == b"zset":
        return client.zrange(key, 0, -1)
    return {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}[kind](key)


def stores(running: Running, *servers: RedisServer) -> dict[str, bytes]:
    """Return everything that each store holds, as bytes; each stream of the log is a store of its own."""
    found: dict[str, bytes] = {"redis": b""}
    for server in servers:
        client: Any = redis.Redis.from_url(server.url, protocol=2)
        for key in client.scan_iter(count=1_000):
            name = key.decode().partition(":log:")[2] or "redis"
            found[name] = found.get(name, b"") + key + repr(content_of(client, key)).encode()
        client.close()
    with sqlite3.connect(running.data / "recsite.sqlite3") as database:
        found["database"] = "\n".join(database.iterdump()).encode()
    found["spool"] = b"".join(path.read_bytes() for path in (running.data / "spool").rglob("*") if path.is_file())
    archive = running.data / "archive"
    found["archive"] = b"".join(pl.read_parquet(path).write_json().encode() for path in archive.rglob("*.parquet"))
    found["logs"] = b"".join(path.read_bytes() for path in running.data.rglob("*.log"))
    return found


def where(running: Running, *servers: RedisServer) -> set[str]:
    """Return the stores in which the shopper's ids stand; in a database, blobs are hexadecimal.

    Not in the log: its topics forget records by their retention alone.
    """
    names = [spelled for name in (USER, ANONYMOUS) for spelled in (name.encode(), name.encode().hex().upper().encode())]
    found = {store for store, content in stores(running, *servers).items() if any(name in content for name in names)}
    return {store for store in found if not store.startswith("recsite.events")}


@pytest.fixture
def servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Return a Redis for states and another for the log, which can be stopped by itself."""
    with RedisServer() as states, RedisServer() as log:
        yield states, log


@pytest.mark.slow
@pytest.mark.redis
def test_an_erased_shopper_is_nowhere_and_stays_away(tmp_path: Path, servers: tuple[RedisServer, RedisServer]) -> None:
    states, log = servers
    running = start_installation(tmp_path, redis_url=states.url, log_url=f"{log.url}?partitions=2", database_url=None)
    running.manage("shell", "-v0", "-c", "from tracking.models import Site; Site.objects.update(token_secret='s' * 48)")
    numbers = iter(range(1_000))

    def send(*, item: object = "tent01") -> None:
        now_ms = int(time.time() * 1000)
        event = {
            "event": "view_item", "event_id": f"event-{next(numbers):08d}", "ts": now_ms,
            "params": {"items": [{"item_id": item}]},
        }  # fmt: skip
        token = sign_token("s" * 48, site="default", user_id=USER)
        body = {
            "key": running.pk, "v": "1.0", "sent_at": now_ms, "anonymous_id": ANONYMOUS, "user_id": USER,
            "user_token": token, "events": [event],
        }  # fmt: skip
        status, answer = running.post("/v1/events", body)
        assert status in (202, 400), answer

    def lag() -> dict[str, int]:
        found: dict[str, int] = json.loads(running.manage("stream_lag", "--json").splitlines()[-1])
        return found

    def is_archived() -> bool:
        found = lag()
        return found["records"] == 0 and found["archive_records"] == 0

    try:
        send()
        send(item=True)  # no id in any reading: a dead letter
        running.send_views(ANONYMOUS, ["tent02"])
        wait_until(is_archived, "the archive")
        wait_until(lambda: running.manage("shell", "-v0", "-c", TASKS) or "redis" in where(running, states, log))
        wait_until(lambda: "database" in where(running, states, log), "the stored profile")
        log.freeze()
        send()  # to the spool
        send(item=False)  # its letter waits for the log
        shown: Any = redis.Redis.from_url(states.url, protocol=2)
        wait_until(lambda: b"event-00000003" in repr(shown.lrange("rs:default:live_events", 0, -1)).encode())
        shown.close()
        assert where(running, states) >= {"redis", "database", "archive", "spool"}
        request = urllib.request.Request(
            f"{running.address}/v1/users/{USER}?anonymous_id={ANONYMOUS}",
            method="DELETE", headers={"Authorization": f"Bearer {running.sk}"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=20) as answer:
            receipt = json.load(answer)
        assert receipt["redis"]["keys"] >= 2
        assert [receipt["dead_letters"]["rows"], receipt["archive"]["files"] > 0] == [1, True]

        log.thaw()
        wait_until(lambda: "spool" not in where(running, states), "the spool to drain")
        wait_until(is_archived, "the archive")
        running.manage("shell", "-v0", "-c", TASKS)
        assert where(running, states, log) == set()
        for source in ("log", "archive"):
            running.manage("replay", "--source", source, "--flush")
        running.manage("shell", "-v0", "-c", TASKS)
        assert where(running, states, log) == set()
    finally:
        log.thaw()
        stop_installation(running)
    assert where(running, states, log) == set()
