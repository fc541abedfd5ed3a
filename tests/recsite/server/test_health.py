"""Liveness and readiness."""

from __future__ import annotations

import msgspec

from recsite.server.health import Health
from tests.tracking.asgi_client import call


async def test_a_process_is_alive_even_when_it_is_not_ready() -> None:
    health = Health()
    health.add_check("model", lambda: "is still loading")
    health.add_check("log", lambda: None)

    alive, ready = await call(health.livez, method="GET"), await call(health.readyz, method="GET")

    assert (alive.status, ready.status) == (200, 503)
    assert msgspec.json.decode(ready.body)["reasons"] == {"model": "is still loading"}


async def test_a_draining_process_gets_no_traffic() -> None:
    health = Health()
    assert (await call(health.readyz, method="GET")).status == 200
    health.is_draining = True
    assert health.reasons() == {"process": "is draining"}
    assert (await call(health.readyz, method="GET")).status == 503
