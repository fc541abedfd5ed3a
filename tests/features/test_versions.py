"""A feature view whose version was raised: old states are migrated, or rebuilt from scratch, and never misread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.archive.replay import Replayer, empty_states
from features.exceptions import UnknownState
from features.metrics import STATES_REBUILT
from features.state import states
from features.state.states import ProfileState, decode_profile
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, applied, event
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], Callable[[bytes], Any]]:
    """Raise the profile's version to 2, as an edit of ``definitions.py`` would; lend the table of migrations."""
    migrations: dict[tuple[str, int], Callable[[bytes], Any]] = {}
    monkeypatch.setattr(states, "MIGRATIONS", migrations)
    monkeypatch.setattr(states, "_PROFILE_VERSION", 2)
    monkeypatch.setitem(states._VIEWS, ProfileState, ("profile", 2))
    monkeypatch.setitem(states._VERSIONS, ProfileState, b"\x02")
    return migrations


def rebuilt() -> float:
    return STATES_REBUILT.labels(view="profile")._value.get()


def test_an_old_state_is_migrated(monkeypatch: pytest.MonkeyPatch, raised: dict[Any, Any]) -> None:
    with monkeypatch.context() as before:
        before.setattr(states, "_PROFILE_VERSION", 1)
        before.setitem(states._VERSIONS, ProfileState, b"\x01")
        old = applied(event("purchase", items=["a"], transaction_id="1", value=12.0)).profile_blob
    assert old is not None
    assert old[0] == 1

    def in_thousandths(blob: bytes) -> ProfileState:
        state: ProfileState = states._DECODE_PROFILE(memoryview(blob)[1:])
        state.revenue *= 10
        return state

    raised[("profile", 1)] = in_thousandths
    before_count = rebuilt()

    migrated = decode_profile(old)

    assert (migrated.orders, migrated.revenue) == (1, 12_000)
    assert states.encode(migrated)[0] == 2
    assert decode_profile(states.encode(migrated)).revenue == 12_000
    assert rebuilt() == before_count


def test_without_a_migration_it_starts_from_scratch_and_a_replay_rebuilds_it(worlds: Worlds, request: Any) -> None:
    records = traffic(4_000)
    world, clean = worlds("memory"), worlds("memory")
    world.fill(records[:700])
    world.drain()
    old = sum(1 for key in world.client.scan_iter("rs:*:profile:*") if world.client.get(key)[0] == 1)
    request.getfixturevalue("raised")
    clean.fill(records)
    clean.drain()
    before = rebuilt()

    world.fill(records[700:])
    world.drain()

    assert rebuilt() - before >= old * 0.5 > 50
    assert world.hash() != clean.hash(), "the past is missing, as it must until a replay"
    empty_states(world.client, partitions=4, log_name=world.log_name)
    Replayer(world.store, partitions=4, lateness_ms=LATENESS_MS).from_log(world.log)
    assert world.hash() == clean.hash()
    assert {world.client.get(key)[0] for key in world.client.scan_iter("rs:*:profile:*")} == {2}


def test_an_older_program_refuses_a_newer_state(raised: dict[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    newer = applied(event("page_view")).profile_blob
    monkeypatch.setattr(states, "_PROFILE_VERSION", 1)
    monkeypatch.setitem(states._VIEWS, ProfileState, ("profile", 1))

    with pytest.raises(UnknownState, match=r"version 2, this program reads up to 1: run the newer program"):
        decode_profile(newer)
