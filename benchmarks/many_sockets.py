"""Thousands of open pages from one process: a WebSocket client of a few hundred bytes a socket, which only counts."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import secrets
import struct
import time
from typing import Any

SOCKETS_AN_ADDRESS = 90
"""Fewer than a process takes from one network address; every 127.x.y.z is this machine."""

AT_ONCE = 200
_HANDSHAKE = (
    "GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{extensions}\r\n"
)
_DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


def raise_file_limit(wanted: int) -> None:
    """Let this process and its children open so many files; raises ``SystemExit`` where the system says no."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(f"this system allows {hard} open files, {wanted} are needed; raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


class Page(asyncio.Protocol):
    """One open page: says hello, subscribes, answers pings, and notes when updates came."""

    def __init__(self, messages: list[dict[str, Any]], *, deflate: bool) -> None:
        self.updates = 0
        self.updated_at = 0.0
        self.is_lost = False
        self.transport: asyncio.Transport | None = None
        self.first: asyncio.Event | None = asyncio.Event()
        self._messages = messages
        self._deflate = deflate
        self._buffer = bytearray()
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(_HANDSHAKE.format(key=key, extensions=_DEFLATE if self._deflate else "").encode())

    def connection_lost(self, error: Exception | None) -> None:
        """Note that it is gone."""
        self.is_lost = True
        if self.first is not None:
            self.first.set()

    def data_received(self, data: bytes) -> None:
        """Take what the server says."""
        self._buffer += data
        if not self._is_open:
            head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"no socket: {head[:200]!r}")
            self._is_open = True
            self._buffer = bytearray(rest)
            for message in self._messages:
                self._send(1, json.dumps(message).encode())
            self._messages = []
        while self._read_frame():
            pass

    def _read_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            size, start = struct.unpack_from("!H", buffer, 2)[0] if len(buffer) >= 4 else 1 << 30, 4
        elif size == 127:
            size, start = struct.unpack_from("!Q", buffer, 2)[0] if len(buffer) >= 10 else 1 << 30, 10
        if len(buffer) < start + size:
            return False
        opcode, body = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        if opcode == 9:
            self._send(10, body)
        elif opcode == 1 and size > 300:  # a list; "ready" is shorter, and compressed lists are longer than that
            self.updates += 1
            self.updated_at = time.perf_counter()
            if self.first is not None:
                self.first.set()
        return True

    def _send(self, opcode: int, body: bytes) -> None:
        assert self.transport is not None
        if self.transport.is_closing():
            return
        mask = os.urandom(4)
        size = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(body))
        masked = (int.from_bytes(body) ^ int.from_bytes((mask * (len(body) // 4 + 1))[: len(body)])).to_bytes(len(body))
        self.transport.write(bytes([0x80 | opcode]) + size + mask + masked)


async def open_pages(port: int, key: str, placement: dict[str, Any], *, n: int, deflate: bool = False) -> list[Page]:
    """Open ``n`` pages of as many shoppers, and wait until each of them has its first list."""
    loop = asyncio.get_running_loop()
    pages: list[Page] = []
    slots = asyncio.Semaphore(AT_ONCE)

    async def open_one(number: int) -> None:
        address = number // SOCKETS_AN_ADDRESS
        messages = [
            {"type": "hello", "key": key, "anonymous_id": secrets.token_hex(16)},
            {"type": "subscribe", "placements": [placement]},
        ]
        async with slots:
            _, page = await loop.create_connection(
                lambda: Page(messages, deflate=deflate),
                "127.0.0.1",
                port,
                local_addr=(f"127.0.{1 + address // 250}.{1 + address % 250}", 0),
            )
            pages.append(page)
            assert page.first is not None  # until here
            await page.first.wait()
            page.first = None

    await asyncio.gather(*(open_one(number) for number in range(n)))
    lost = sum(page.is_lost for page in pages)
    if lost:
        raise SystemExit(f"{lost} of {n} pages were closed")
    return pages
