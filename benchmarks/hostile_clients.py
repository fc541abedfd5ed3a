"""Clients that mean harm: bodies too large, heads that drip, floods of messages, pages that read nothing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import time
import uuid
from collections import Counter

import websockets

DRIPPING = 200
HEAD = b"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def status_of(port: int, request: bytes) -> int:
    """Send bytes and return the status of the answer; 0 where the connection is closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        writer.write(request)
        async with asyncio.timeout(10):
            head = await reader.readline()
            writer.close()
            return int(head.split()[1]) if head else 0
    writer.close()
    return 0


async def oversize(port: int) -> Counter[int]:
    """Return the statuses of bodies of 50 MB: said so, and sent in pieces without a word."""
    said = HEAD + b"Content-Length: 50000000\r\n\r\n" + b"x" * 65_536
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    unsaid = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40
    return Counter(await asyncio.gather(*(status_of(port, each) for each in (said, unsaid) * 10)))


async def slow_loris(port: int) -> tuple[float, int]:
    """Drip heads and bodies over many connections; return seconds until the last was closed, and how many were."""

    async def drip(number: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/rec" if number % 2 else HEAD + b"Content-Length: 1000\r\n\r\n")
        ended = asyncio.create_task(reader.read())
        with contextlib.suppress(OSError):
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait([ended], timeout=0.5)
        with contextlib.suppress(OSError):
            await ended
        writer.close()
        return True

    started = time.perf_counter()
    async with asyncio.timeout(30):
        closed = await asyncio.gather(*(drip(number) for number in range(DRIPPING)))
    return time.perf_counter() - started, sum(closed)


async def floods(port: int, key: str) -> Counter[int]:
    """Return the codes with which sockets were closed: floods of messages, giants, nobody who says hello."""
    address = f"ws://127.0.0.1:{port}/v1/live"

    async def code_of(*messages: str) -> int:
        async with websockets.connect(address) as page:
            with contextlib.suppress(websockets.ConnectionClosed):
                for message in messages:
                    await page.send(message)
                async with asyncio.timeout(10):
                    while True:
                        await page.recv()
            return page.close_code or 0

    hello = json.dumps({"type": "hello", "key": key})
    each = [(hello, *('{"type": "ping"}',) * 50), (hello, "x" * 5_000), (hello, "x" * 100_000), ()]
    return Counter(await asyncio.gather(*(code_of(*messages) for messages in each * 5)))


async def frames(port: int, frame: bytes, *, first: bytes = b"", for_s: float = 5.0, at_once: int = 2_000) -> int:
    """Send one frame over and over after ``first``, as fast as it goes; return the code of the close, or 0 for none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        b"GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % key.encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    answered = asyncio.create_task(reader.read(1 << 20))
    until = time.monotonic() + for_s
    heard = b""
    writer.write(first)
    with contextlib.suppress(OSError):
        while time.monotonic() < until:
            writer.write(frame * at_once)
            await writer.drain()
            if answered.done():
                heard = (heard + answered.result())[-64:]
                if not answered.result():
                    break
                answered = asyncio.create_task(reader.read(1 << 20))
            await asyncio.sleep(0)
    answered.cancel()
    writer.close()
    position = heard.rfind(b"\x88")  # the frame that closes: its code comes after the length
    return int.from_bytes(heard[position + 2 : position + 4]) if position >= 0 else 0


async def reads_nothing(port: int, key: str, *, sockets: int) -> list[socket.socket]:
    """Open pages that subscribe and never read; the caller closes them."""
    opened = []
    for _ in range(sockets):
        page = await websockets.connect(f"ws://127.0.0.1:{port}/v1/live", max_queue=1)
        await page.send(json.dumps({"type": "hello", "key": key, "anonymous_id": uuid.uuid4().hex}))
        await page.send(json.dumps({"type": "subscribe", "placements": [{"placement": "home_for_you", "limit": 8}]}))
        page.transport.pause_reading()
        opened.append(page.transport.get_extra_info("socket"))
    return opened
