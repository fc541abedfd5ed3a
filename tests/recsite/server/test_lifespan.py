"""Parts start in order and stop in reverse, whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from recsite.server.health import health
from recsite.server.lifespan import Hook, Lifespan


@pytest.fixture(autouse=True)
def _not_draining() -> Iterator[None]:
    yield
    health.is_draining = False


class Parts:
    """Parts that note what is done to them; ``broken`` fails at its start or stop."""

    def __init__(self, *names: str, broken: str = "") -> None:
        self.done: list[str] = []
        self.hooks = [(self._hook(f"start {name}", broken), self._hook(f"stop {name}", broken)) for name in names]

    def _hook(self, what: str, broken: str) -> Hook:
        async def hook() -> None:
            self.done.append(what)
            if what == broken:
                raise RuntimeError("no luck")

        return hook


async def run(lifespan: Lifespan, *messages: str) -> list[dict[str, Any]]:
    waiting = [{"type": f"lifespan.{name}"} for name in messages]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await lifespan({"type": "lifespan"}, receive, send)
    return sent


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    parts = Parts("a", "b")
    sent = await run(Lifespan(parts.hooks), "startup", "shutdown")
    assert parts.done == ["start a", "start b", "stop b", "stop a"]
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert health.is_draining


@pytest.mark.expects_errors(r"web\.start_failed")
async def test_a_start_that_fails_stops_what_was_started_and_is_told() -> None:
    parts = Parts("a", "b", "c", broken="start b")
    (failed,) = await run(Lifespan(parts.hooks), "startup")
    assert parts.done == ["start a", "start b", "stop a"]
    assert failed == {"type": "lifespan.startup.failed", "message": "RuntimeError: no luck"}


@pytest.mark.expects_errors(r"web\.stop_failed")
async def test_a_part_that_fails_to_stop_keeps_no_other_from_stopping() -> None:
    parts = Parts("a", "b", broken="stop b")
    await run(Lifespan(parts.hooks), "startup", "shutdown")
    assert parts.done[-2:] == ["stop b", "stop a"]
