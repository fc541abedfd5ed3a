"""A Redis that is nearly full takes no new anonymous users, and everybody who is known goes on exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from features import keys
from features.store import memory
from features.store.memory import HIGH, LOW, NodeMemory
from features.stream import loop
from tests.features.conftest import PARTITIONS, World
from tests.features.making import NOW_MS, SITE, event, record, wire

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]


def view(at_ms: int, **who: str | None) -> tuple[bytes, bytes]:
    return wire(record(event("view_item", at_ms=at_ms, items=["mug"]), **who))  # type: ignore[arg-type]


def profiles(world: World) -> int:
    patterns = (keys.states_pattern(partition, keys.PROFILE, site=SITE) for partition in range(PARTITIONS))
    return sum(len(list(world.client.scan_iter(pattern))) for pattern in patterns)


def test_what_is_new_and_anonymous_waits_until_there_is_room(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    share = [0.5]
    monkeypatch.setattr(memory, "read_memory", lambda client: NodeMemory(round(share[0] * 1_000), 1_000))
    monkeypatch.setattr(loop, "MEMORY_EVERY_S", 0.0)
    world = worlds("memory")
    worker = world.worker()
    world.fill([view(NOW_MS, anonymous_id="known-0000000000001")])
    world.drain(worker)
    share[0] = HIGH
    worker.step(0.0)

    world.fill(
        [
            view(NOW_MS + 1, anonymous_id="known-0000000000001"),
            view(NOW_MS + 1, user_id="42", anonymous_id=None),
            view(NOW_MS + 1, anonymous_id="told-by-the-server-1", source="server"),
            *[view(NOW_MS + 1, anonymous_id=f"made-up-{number:012}") for number in range(30)],
        ]
    )
    world.drain(worker)
    crowded = world.ledger()
    assert (crowded["applied"], crowded["crowded"], profiles(world)) == (4, 30, 3)

    share[0] = LOW - 0.01
    worker.step(0.0)
    world.fill([view(NOW_MS + 2, anonymous_id="made-up-000000000000")])
    world.drain(worker)
    worker.close()

    assert (world.ledger()["applied"], world.ledger()["crowded"], profiles(world)) == (5, 30, 4)
