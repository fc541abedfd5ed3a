"""The ASGI lifespan: parts are started in order when the server starts and stopped in reverse when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from recsite.server.health import health

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]
STOP_TIMEOUT_S = 20.0


class Lifespan:
    """Runs the start and stop hooks of the parts of a web process."""

    def __init__(self, parts: Sequence[tuple[Hook, Hook]]) -> None:
        self._parts = parts
        self._started: list[Hook] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the server's lifespan messages."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:  # the server must learn of it, whatever it is
                    logger.exception("web.start_failed")
                    await self.stop()
                    await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def start(self) -> None:
        """Start every part in order."""
        for start, stop in self._parts:
            await start()
            self._started.append(stop)

    async def stop(self) -> None:
        """Stop what was started, last first; one that fails or hangs does not keep the others from stopping."""
        health.is_draining = True
        while self._started:
            stop = self._started.pop()
            try:
                await asyncio.wait_for(stop(), STOP_TIMEOUT_S)
            except Exception:  # the others must still flush
                logger.exception("web.stop_failed part=%s", getattr(stop, "__module__", stop))
