"""Counts that a worker holds: added metric by metric, read once, and forgotten when a write may have failed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from features.state.attribution import METRICS as PLACEMENT_METRICS
from features.state.batch import CountIncrement
from features.state.windows import METRICS as ITEM_METRICS
from features.store import counts
from features.store.counts import CountCache
from tests.features.conftest import World

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]
decode = msgspec.msgpack.decode


@pytest.mark.parametrize("metrics", [ITEM_METRICS, PLACEMENT_METRICS], ids=["items", "placements"])
def test_every_metric_adds_up_to_what_redis_held(worlds: Worlds, metrics: tuple[str, ...]) -> None:
    world = worlds("memory")
    stored = [10**number for number in range(len(metrics))]
    world.client.hset("rs:{p0}:test", "a", msgspec.msgpack.encode(stored))
    cache = CountCache()

    with world.store.batch(0) as batch:
        increments = {"rs:{p0}:test": CountIncrement({"a": stored, "new": [1] * len(metrics)}, 60)}
        (first,) = cache.add(batch, increments)
        (second,) = cache.add(batch, increments)

    assert decode(first.values["a"]) == [2 * amount for amount in stored]
    assert decode(second.values["a"]) == [3 * amount for amount in stored]
    assert decode(second.values["new"]) == [2] * len(metrics)
    assert second.ttl_s == 60


def test_after_a_failure_a_hash_is_read_again(worlds: Worlds) -> None:
    world = worlds("memory")
    cache = CountCache()
    increments = {"rs:{p0}:test": CountIncrement({"a": [1] * len(ITEM_METRICS)}, 60)}

    with world.store.batch(0) as batch:
        cache.add(batch, increments)  # never written
        cache.clear()
        (change,) = cache.add(batch, increments)

    assert decode(change.values["a"]) == [1] * len(ITEM_METRICS)


def test_what_was_not_touched_for_longest_is_dropped(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MAX_FIELDS", 2)
    cache = CountCache()

    with worlds("memory").store.batch(0) as batch:
        for name in ("one", "two", "three"):
            cache.add(batch, {f"rs:{{p0}}:{name}": CountIncrement({"a": [1]}, 60)})

    assert list(cache._hashes) == ["rs:{p0}:two", "rs:{p0}:three"]


def test_counts_from_before_visitors_were_counted_stand_for_a_visitor_an_event(worlds: Worlds) -> None:
    world = worlds("memory")
    world.client.hset("rs:{p0}:test", "a", msgspec.msgpack.encode([7, 2, 1, 990]))

    with world.store.batch(0) as batch:
        (change,) = CountCache().add(batch, {"rs:{p0}:test": CountIncrement({"a": [1, 0, 0, 0, 1, 0, 0]}, 60)})

    assert decode(change.values["a"]) == [8, 2, 1, 990, 8, 2, 1]
