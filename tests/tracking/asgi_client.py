"""Calls an ASGI application in the process, chunk by chunk where a test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name.encode():
                return value.decode()
        return None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    application: Any,
    body: bytes | Sequence[bytes] = b"",
    *,
    method: str = "POST",
    path: str = "/",
    query: bytes = b"",
    headers: dict[str, str] | None = None,
    scheme: str = "http",
    client: str = "203.0.113.7",
    stalls: bool = False,
) -> Answered:
    """Return the answer. ``body`` in several parts arrives in several messages; ``stalls`` never ends it."""
    parts = [body] if isinstance(body, bytes) else list(body)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": query,
        "scheme": scheme,
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()
        ],
        "client": (client, 50_000),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if parts:
            chunk = parts.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(parts) or stalls}
        if stalls:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    whole = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Answered(start["status"], start["headers"], whole)
