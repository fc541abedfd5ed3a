"""The floor of ``serve``: a plain ASGI callable that reads one key from Redis and answers with a fixed body."""

from __future__ import annotations

import os
from typing import Any

import redis.asyncio

_client: redis.asyncio.Redis | None = None
_BODY = b'{"results":[]}' + b" " * 2_000


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request."""
    global _client
    if scope["type"] != "http":
        return
    if _client is None:
        _client = redis.asyncio.from_url(os.environ["REDIS_URL"], protocol=2)
    await receive()
    await _client.get("floor")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})
