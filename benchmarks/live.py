"""From a click to the changed list on an open page: browser → collect → log → stream worker → features → WebSocket.

Every part is real: uvicorn, the event log on Redis, the Celery stream worker, a WebSocket. A probe opens a page, sends
the event of a view as the tracker does, and waits for the update. The floor is a message over Redis publish and
subscribe in the same run: the least that any such path must take. A click without an update is looked into: when the
API gives the list that the page shows already, it was right to be silent; else the update was lost.

Then many pages of as many shoppers open in the same process: memory a socket, CPU while nothing happens, clicks among
them, and a rule that concerns all of them at once, with clicks meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field

import numpy as np
import psutil
import redis.asyncio
import websockets

from benchmarks.http_load import post
from benchmarks.many_sockets import Page, open_pages, raise_file_limit
from benchmarks.report import print_table
from benchmarks.serving_lab import PROJECT, Lab, cpu_s, lab

N_ITEMS = 5_000
PLACEMENT = {"placement": "home_for_you", "limit": 8}
LOST_AFTER_S = 5.0
IDLE_S = 5.0
RULE_WITHIN_S = 120.0


RULE = """
from recommendations.models import Rule
from recommendations.state.placements import publish
from tracking.models import Site
site = Site.objects.first()
rule = Rule.objects.create(site=site, name="All pages", action="pin", position=1, items=["sku{number}"])
publish(rule)
"""


def run(*, quick: bool, sockets: int | None = None) -> dict[str, float]:
    """Measure and return the figures."""
    sockets = sockets or (1_000 if quick else 10_000)
    clicks = 100 if quick else 600
    raise_file_limit(sockets + 2_000)
    with lab() as made:
        key = made.make_shop(items=N_ITEMS, shoppers=10)
        port, web = made.start_web("recsite.asgi:application", workers=1)
        made.start(
            sys.executable, "-m", "celery", "-A", "recsite", "worker", "-Q", "stream", "-P", "threads", "-c", "1",
            "-l", "WARNING", "--without-mingle", "--without-gossip",
        )  # fmt: skip
        return asyncio.run(_measured(made, key, port, web, clicks=clicks, sockets=sockets))


async def _measured(
    made: Lab, key: str, port: int, web: subprocess.Popen[bytes], *, clicks: int, sockets: int
) -> dict[str, float]:
    floor = await _floor_ms(made)
    async with websockets.connect(f"ws://127.0.0.1:{port}/v1/live") as page:
        probe = Probe(page, port, key)
        await probe.opens()
        alone = await probe.clicks(clicks)
        process = psutil.Process(web.pid)
        rss = process.memory_info().rss
        started = time.perf_counter()
        pages = await open_pages(port, key, PLACEMENT, n=sockets)
        opened_s = time.perf_counter() - started
        kb_a_socket = (process.memory_info().rss - rss) / 1024 / sockets
        used = cpu_s(web)
        await asyncio.sleep(IDLE_S)
        idle_share = (cpu_s(web) - used) / IDLE_S
        among = await probe.clicks(clicks // 4)
        used = cpu_s(web)
        rule_s, during = await _rule_for_all(made, pages, probe)
        rule_cpu_ms = (cpu_s(web) - used) * 1000 / sockets
    print_table(
        "From a click to the changed list on an open page",
        ["", "p50 ms", "p99 ms", "worst ms", "clicks", "unchanged", "lost"],
        [
            ["One page", *alone.row()],
            [f"Among {sockets:,} pages", *among.row()],
            ["While a rule reaches all of them", *during.row()],
            ["Redis publish to subscribe", *floor, None, None, None],
        ],
    )
    print_table(
        f"{sockets:,} open pages in one process",
        [
            "opened in s",
            "kB a socket",
            "idle, share of a core",
            "a rule reaches all in s",
            "and costs ms of CPU a page",
        ],
        [[opened_s, kb_a_socket, idle_share, rule_s, rule_cpu_ms]],
    )
    if not alone.took:
        raise SystemExit("no click changed the page; is the stream worker alive?")
    return {
        "p50_ms": alone.at(50),
        "p99_ms": alone.at(99),
        "worst_ms": max(alone.took),
        "unchanged": float(alone.unchanged),
        "lost": float(alone.lost + among.lost + during.lost),
        "floor_p50_ms": floor[0],
        "floor_p99_ms": floor[1],
        "sockets": float(sockets),
        "kb_per_socket": kb_a_socket,
        "idle_core_share": idle_share,
        "crowd_p50_ms": among.at(50),
        "crowd_p99_ms": among.at(99),
        "rule_p99_ms": during.at(99),
        "rule_last_page_s": rule_s,
        "rule_cpu_ms_per_page": rule_cpu_ms,
    }


async def _rule_for_all(made: Lab, pages: list[Page], probe: Probe) -> tuple[float, Clicks]:
    """Publish a rule that changes every page's list; return the time from the first page to the last, and clicks."""
    before = {id(page): page.updates for page in pages}
    published = await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", "shell", "-v", "0", "-c", RULE.format(number=N_ITEMS - 1),
        cwd=PROJECT, env=made.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while all(page.updates == before[id(page)] for page in pages):
        if published.returncode not in (None, 0):
            raise SystemExit("the rule was not published")
        await asyncio.sleep(0.002)
    started = time.perf_counter()
    clicking = asyncio.create_task(probe.clicks(20, pause_s=0.02))
    deadline = time.monotonic() + RULE_WITHIN_S
    while True:
        waiting = sum(page.updates == before[id(page)] for page in pages)
        if not waiting or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.02)
    await published.wait()
    if waiting:
        raise SystemExit(f"{waiting} of {len(pages)} pages heard nothing of the rule within {RULE_WITHIN_S:g} s")
    return max(page.updated_at for page in pages) - started, await clicking


@dataclass
class Clicks:
    """What became of some clicks."""

    took: list[float] = field(default_factory=list)
    unchanged: int = 0
    lost: int = 0

    def at(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return float(np.percentile(self.took, share)) if self.took else math.nan

    def row(self) -> list[float]:
        """Return the figures of the table."""
        return [self.at(50), self.at(99), max(self.took, default=math.nan), len(self.took), self.unchanged, self.lost]


class Probe:
    """One shopper on one open page."""

    def __init__(self, page: websockets.ClientConnection, port: int, key: str) -> None:
        self._page, self._port, self._key = page, port, key
        self._anonymous_id = secrets.token_hex(16)
        self._shown: list[str] = []
        self._number = 0

    async def opens(self) -> None:
        """Subscribe, and wait until the stream worker works."""
        await self._page.send(json.dumps({"type": "hello", "key": self._key, "anonymous_id": self._anonymous_id}))
        await self._page.recv()
        await self._page.send(json.dumps({"type": "subscribe", "placements": [PLACEMENT]}))
        await self._heard(within_s=LOST_AFTER_S)
        for _ in range(60):
            await self._click()
            if await self._heard(within_s=1.0):
                return
        raise SystemExit("the stream worker did not start within a minute")

    async def clicks(self, n: int, *, pause_s: float = 0.05) -> Clicks:
        """Click so many times, each after the update of the one before."""
        result = Clicks()
        for _ in range(n):
            await asyncio.sleep(pause_s)
            while await self._heard(within_s=pause_s):
                pass  # what an earlier click still brings
            started = time.perf_counter()
            await self._click()
            if await self._heard(within_s=LOST_AFTER_S):
                result.took.append((time.perf_counter() - started) * 1000)
            elif await self._asked() == self._shown:
                result.unchanged += 1
            else:
                result.lost += 1
        return result

    async def _click(self) -> None:
        self._number += 1
        item_id = f"sku{1 + self._number * 37 % (N_ITEMS - 1)}"
        now_ms = int(time.time() * 1000)
        event = {
            "event": "view_item", "event_id": uuid.uuid4().hex, "ts": now_ms,
            "params": {"items": [{"item_id": item_id}]},
        }  # fmt: skip
        body = {"key": self._key, "sent_at": now_ms, "anonymous_id": self._anonymous_id, "events": [event]}
        status, _ = await self._post("/v1/events", body)
        if status != 202:
            raise SystemExit(f"collect answered {status}")

    async def _asked(self) -> list[str]:
        """Return the list as the API gives it now."""
        body = {"key": self._key, "anonymous_id": self._anonymous_id, "placements": [PLACEMENT]}
        _, answer = await self._post("/v1/recommendations", body)
        return [item["item_id"] for item in json.loads(answer)["results"][0]["items"]]

    async def _post(self, path: str, body: object) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(post(path, json.dumps(body).encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await reader.readexactly(size)
        writer.close()
        return int(head.split(b" ", 2)[1]), answer

    async def _heard(self, *, within_s: float) -> bool:
        try:
            message = json.loads(await asyncio.wait_for(self._page.recv(), within_s))
        except TimeoutError:
            return False
        if message["type"] == "update":
            self._shown = [item["item_id"] for item in message["results"][0]["items"]]
        return bool(message["type"] == "update")


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
