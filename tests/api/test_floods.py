"""One page that floods a web process with frames is closed, and costs the others next to nothing."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import urlsplit

import pytest
import websockets

from benchmarks.hostile_clients import frames
from tests.api.conftest import Place
from tests.services.waiting import DEADLINE_S

pytestmark = [pytest.mark.redis, pytest.mark.slow]

PING, PONG, PIECE = b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\x00\x80\0\0\0\0"
BEGIN = b"\x01\x80\0\0\0\0"
POLITE_S = 4.0


def port_of(place: Place) -> int:
    return urlsplit(place.second_address).port or 0


@pytest.mark.parametrize(
    ("first", "frame", "at_once"),
    [(b"", PING, 2_000), (b"", PONG, 2_000), (b"", PING, 100), (BEGIN, PIECE * 50, 1), (b"", PING * 6_000, 1)],
    ids=["pings", "pongs", "pings in small parts", "pieces of a message", "all at once"],
)
async def test_a_flood_of_frames_is_closed_with_1008(place: Place, first: bytes, frame: bytes, at_once: int) -> None:
    started = time.monotonic()
    code = await frames(port_of(place), frame, first=first, at_once=at_once)

    assert time.monotonic() - started < DEADLINE_S
    assert code in (1008, 0), "where the flood goes on the reset may come before the frame that says why"


async def test_others_do_not_wait_for_a_flood(place: Place) -> None:
    """Without limits, five of these made every answer of the process wait for more than four seconds."""
    took_s: list[float] = []
    async with websockets.connect(place.second_address.replace("http", "ws") + "/v1/live") as page:
        await page.send(json.dumps({"type": "hello", "key": place.pk}))
        await page.recv()

        async def speak() -> None:
            for _ in range(int(POLITE_S * 8)):
                started = time.perf_counter()
                await page.send('{"type": "ping"}')
                assert json.loads(await page.recv()) == {"type": "pong"}
                took_s.append(time.perf_counter() - started)
                await asyncio.sleep(1 / 8)  # sleep: the pace of a polite page

        async def flood() -> None:
            until = time.monotonic() + POLITE_S
            while time.monotonic() < until:
                await frames(port_of(place), PING)

        await asyncio.gather(speak(), *(flood() for _ in range(3)))

    print(f"slowest answer during the flood: {max(took_s) * 1000:.0f} ms")
    assert max(took_s) < 3.0


async def test_a_polite_page_with_keepalive_is_never_closed(place: Place) -> None:
    async with websockets.connect(
        place.second_address.replace("http", "ws") + "/v1/live", ping_interval=0.3, max_size=2**20
    ) as page:
        await page.send(json.dumps({"type": "hello", "key": place.pk}))
        subscribe = {
            "type": "subscribe",
            "placements": [{"placement": "home_new", "limit": 4}],
            "cart": ["x" * 120] * 25,
        }
        for _ in range(int(POLITE_S * 5)):
            await page.send(json.dumps(subscribe))
            await asyncio.sleep(0.2)  # sleep: the pace of a polite page
        await page.send('{"type": "ping"}')
        while json.loads(await page.recv())["type"] != "pong":
            pass
