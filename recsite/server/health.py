"""Liveness and readiness, as ASGI callables beside Django: they answer while the database is unavailable.

``/livez`` says that the process runs. ``/readyz`` says that it may get traffic: configuration and model are loaded
and it is not draining. Neither reads the event log or the database: their outage must not take the web tier down.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

# Each says None when it is ready, else the reason why it is not.
ReadinessCheck = Callable[[], str | None]


class Health:
    """Answers ``/livez`` and ``/readyz`` from checks that only look into memory."""

    def __init__(self) -> None:
        self._checks: dict[str, ReadinessCheck] = {}
        self.is_draining = False

    def add_check(self, name: str, check: ReadinessCheck) -> None:
        """Run ``check`` at each ``/readyz``."""
        self._checks[name] = check

    def reasons(self) -> dict[str, str]:
        """Return why this process is not ready, by part; empty when it is."""
        found = {"process": "is draining"} if self.is_draining else {}
        for name, check in self._checks.items():
            reason = check()
            if reason is not None:
                found[name] = reason
        return found

    async def livez(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer 200: the event loop turns."""
        await _answer(send, 200, {"status": "alive"})

    async def readyz(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer 200 when ready, else 503 with the reason of each part."""
        reasons = self.reasons()
        await _answer(
            send, 503 if reasons else 200, {"status": "not ready" if reasons else "ready", "reasons": reasons}
        )


async def _answer(send: ASGISendCallable, status: int, body: object) -> None:
    payload = msgspec.json.encode(body)
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": payload, "more_body": False})


health = Health()
