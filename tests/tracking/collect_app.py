"""The collect endpoint alone, for tests and benchmarks that run it in a process of its own: ``uvicorn`` imports it."""

from __future__ import annotations

import gc
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

import django

django.setup()

from recsite.server.lifespan import Lifespan  # noqa: E402
from tracking.collect import service as collecting  # noqa: E402


async def startup() -> None:
    """Start as a web process does, which leaves what it loaded out of the garbage collector's rounds."""
    await collecting.startup()
    gc.collect()
    gc.freeze()


_lifespan = Lifespan([(startup, collecting.shutdown)])


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route one connection."""
    if scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
    else:
        await collecting.collect_application(scope, receive, send)
