"""The floor of an endpoint: an ASGI callable that reads the body and answers 202."""

from __future__ import annotations

from typing import Any

_START = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]}
_BODY = {"type": "http.response.body", "body": b"{}"}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    while (await receive()).get("more_body", False):
        pass
    await send(_START)
    await send(_BODY)
