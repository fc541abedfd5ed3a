"""From a click to the changed list on an open page: browser → collect → log → stream worker → features → WebSocket.

Every part is real: uvicorn, the event log on Redis, the Celery stream worker, a WebSocket. A probe opens a page, sends
the event of a view as the tracker does, and waits for the update. The floor is a message over Redis publish and
subscribe in the same run: the least that any such path must take.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
import uuid

import numpy as np
import redis.asyncio
import websockets

from benchmarks.http_load import post
from benchmarks.report import print_table
from benchmarks.serving_lab import Lab, lab

N_ITEMS = 5_000
PLACEMENT = {"placement": "home_for_you", "limit": 8}
LOST_AFTER_S = 5.0


def run(*, quick: bool) -> dict[str, float]:
    """Measure and return the figures."""
    clicks = 100 if quick else 600
    with lab() as made:
        key = made.make_shop(items=N_ITEMS, shoppers=10)
        port, _ = made.start_web("recsite.asgi:application", workers=1)
        made.start(
            sys.executable, "-m", "celery", "-A", "recsite", "worker", "-Q", "stream", "-P", "threads", "-c", "1",
            "-l", "WARNING", "--without-mingle", "--without-gossip",
        )  # fmt: skip
        return asyncio.run(_measured(made, key, port, clicks=clicks))


async def _measured(made: Lab, key: str, port: int, *, clicks: int) -> dict[str, float]:
    floor = await _floor_ms(made)
    took: list[float] = []
    lost = 0
    async with websockets.connect(f"ws://127.0.0.1:{port}/v1/live") as page:
        anonymous_id = secrets.token_hex(16)
        await page.send(json.dumps({"type": "hello", "key": key, "anonymous_id": anonymous_id}))
        await page.recv()
        await page.send(json.dumps({"type": "subscribe", "placements": [PLACEMENT]}))
        await asyncio.wait_for(page.recv(), LOST_AFTER_S)
        await _until_the_worker_works(page, port, key, anonymous_id)
        for number in range(clicks):
            await asyncio.sleep(0.05)
            while await _heard(page, within_s=0.05):
                pass  # what an earlier click still brings
            started = time.perf_counter()
            await _click(port, key, anonymous_id, f"sku{1 + number * 37 % (N_ITEMS - 1)}")
            if await _heard(page, within_s=LOST_AFTER_S):
                took.append((time.perf_counter() - started) * 1000)
            else:
                lost += 1
    if not took:
        raise SystemExit("no click changed the page; is the stream worker alive?")
    p50, p99 = (float(np.percentile(took, share)) for share in (50, 99))
    print_table(
        "From a click to the changed list on an open page",
        ["", "p50 ms", "p99 ms", "worst ms", "clicks", "without an update"],
        [
            ["Recsite", p50, p99, max(took), len(took), lost],
            ["Redis publish to subscribe", *floor, None, None],
        ],
    )
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "worst_ms": max(took),
        "without_update": float(lost),
        "floor_p50_ms": floor[0],
        "floor_p99_ms": floor[1],
    }


async def _floor_ms(made: Lab) -> tuple[float, float, float]:
    client = redis.asyncio.from_url(made.environment["REDIS_URL"], protocol=2)
    took = []
    async with client.pubsub() as pubsub:
        await pubsub.subscribe("floor")
        await pubsub.get_message(timeout=1)
        for _ in range(200):
            started = time.perf_counter()
            await client.publish("floor", b"x")
            while await pubsub.get_message(ignore_subscribe_messages=True, timeout=1) is None:
                pass
            took.append((time.perf_counter() - started) * 1000)
    await client.aclose()
    return float(np.percentile(took, 50)), float(np.percentile(took, 99)), max(took)


async def _until_the_worker_works(page: websockets.ClientConnection, port: int, key: str, anonymous_id: str) -> None:
    for number in range(60):
        await _click(port, key, anonymous_id, f"sku{number + 1}")
        if await _heard(page, within_s=1.0):
            return
    raise SystemExit("the stream worker did not start within a minute")


async def _click(port: int, key: str, anonymous_id: str, item_id: str) -> None:
    now_ms = int(time.time() * 1000)
    event = {
        "event": "view_item", "event_id": uuid.uuid4().hex, "ts": now_ms, "params": {"items": [{"item_id": item_id}]},
    }  # fmt: skip
    body = {"key": key, "sent_at": now_ms, "anonymous_id": anonymous_id, "events": [event]}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post("/v1/events", json.dumps(body).encode()))
    status = await reader.readline()
    writer.close()
    if b" 202 " not in status:
        raise SystemExit(f"collect answered {status!r}")


async def _heard(page: websockets.ClientConnection, *, within_s: float) -> bool:
    try:
        return json.loads(await asyncio.wait_for(page.recv(), within_s))["type"] == "update"
    except TimeoutError:
        return False
