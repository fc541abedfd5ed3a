"""Recsite with a clock that can be set forward: ``POST /_clock/660`` makes eleven minutes pass for everything in it.

``RECSITE_BENCH_CLOCK_AHEAD_S`` sets it from the start on, also back.
"""

from __future__ import annotations

import os
import time
from typing import Any

_ahead_s = float(os.environ.get("RECSITE_BENCH_CLOCK_AHEAD_S", "0"))
_time, _time_ns, _monotonic = time.time, time.time_ns, time.monotonic
time.time = lambda: _time() + _ahead_s
time.time_ns = lambda: _time_ns() + int(_ahead_s * 1e9)
time.monotonic = lambda: _monotonic() + _ahead_s

from recsite.asgi import application as recsite  # noqa: E402  (modules may hold on to the clock that they first see)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Set the clock, or pass on to Recsite."""
    global _ahead_s
    if scope["type"] == "http" and scope["path"].startswith("/_clock/"):
        _ahead_s += float(scope["path"].rpartition("/")[2])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await recsite(scope, receive, send)
