"""Answers with the address that a request is taken to come from; stands in for Recsite on its real command lines."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

import django

django.setup()

from tracking.http.request import Request  # noqa: E402  (Django must be set up first)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request; lifespan events are none of ours."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP is answered here")
    body = Request(scope, b"", received_at=0.0).address.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
