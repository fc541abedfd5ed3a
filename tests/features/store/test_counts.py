"""Counts that a worker holds: added metric by metric, read once, and forgotten when a write may have failed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.state.attribution import METRICS as PLACEMENT_METRICS
from features.state.batch import CountIncrement
from features.state.counting.networks import MOST, NOT_KNOWN
from features.state.counting.unknown import MIN_UNKNOWN_ITEMS, REST, Bound
from features.state.windows import FIRST_OF_VISITORS, REGULARS
from features.state.windows import METRICS as ITEM_METRICS
from features.store import counts
from features.store.counts import CountCache
from features.store.online import Changes
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
        (change,) = CountCache().add(
            batch, {"rs:{p0}:test": CountIncrement({"a": [1, 0, 0, 0, 1, 0, 0, 0, 5]}, 60, is_of_items=True)}
        )

    assert decode(change.values["a"]) == [8, 2, 1, 990, 8, 2, 1, 7, NOT_KNOWN, 5]


def test_the_networks_behind_an_item_join_and_rank_nothing(worlds: Worlds) -> None:
    key = "rs:{p0}:test"
    cache, bound = CountCache(), Bound(1, key, FIRST_OF_VISITORS, REGULARS)
    tags = list(range(1, 2 * MOST, 2))

    with worlds("memory").store.batch(0) as batch:
        for name, visitors, networks in (("real", 2, tags), ("real", 0, [2, 3]), ("loud", 1, [4_000_000_000])):
            amounts = {name: [*one_view(visitors=visitors), *networks]}
            (change,) = cache.add(batch, {key: CountIncrement(amounts, 60, is_of_items=True)}, {key: bound})

    assert list(change.values) == [REST]
    assert decode(change.values[REST]) == one_view(visitors=1)  # of nobody in particular: without networks
    held = cache._hashes[key]["real"]
    assert held == (2, 0, 0, 0, 2, 0, 0, 0, *sorted({*tags, 2})[:MOST])


def one_view(*, visitors: int) -> list[int]:
    return [1, 0, 0, 0, visitors, 0, 0, 0]


def test_a_bounded_hash_keeps_what_had_visitors_and_adds_the_rest_up(worlds: Worlds) -> None:
    world, key = worlds("memory"), "rs:{p0}:test"
    cache, bound = CountCache(), Bound(2, key, FIRST_OF_VISITORS)
    first = {"real": one_view(visitors=1), "flood-0": one_view(visitors=0)}
    flood = {f"flood-{number}": one_view(visitors=0) for number in range(1, 1000)}

    with world.store.batch(0) as batch:
        cache.add(batch, {key: CountIncrement(first, 60)}, {key: bound})
        (change,) = cache.add(batch, {key: CountIncrement({**flood, "new": one_view(visitors=2)}, 60)}, {key: bound})

    assert sorted(change.values) == [REST, "new"]
    assert decode(change.values[REST]) == [1000, 0, 0, 0, 0, 0, 0, 0]
    assert list(change.removed) == ["flood-0"]  # what never was written needs no deletion


def test_a_narrow_pane_keeps_what_the_widest_one_knows(worlds: Worlds) -> None:
    wide, narrow = "rs:{p0}:wide", "rs:{p0}:narrow"
    cache, bound = CountCache(), Bound(2, wide, FIRST_OF_VISITORS)
    flood = {f"flood-{number}": one_view(visitors=1) for number in range(9)}

    with worlds("memory").store.batch(0) as batch:
        cache.add(batch, {wide: CountIncrement({"real": one_view(visitors=3)}, 60)}, {wide: bound})
        amounts = {**flood, "real": one_view(visitors=0)}
        changes = cache.add(
            batch,
            {wide: CountIncrement(amounts, 60), narrow: CountIncrement(amounts, 60)},
            {wide: bound, narrow: bound},
        )

    assert all("real" in change.values for change in changes)


def test_a_newcomer_that_comes_again_takes_the_place_of_one_that_does_not(worlds: Worlds) -> None:
    key = "rs:{p0}:test"
    cache, bound = CountCache(), Bound(2, key, FIRST_OF_VISITORS)

    with worlds("memory").store.batch(0) as batch:
        for name in ("flood-0", "flood-1", "real", "flood-2", "real"):
            (change,) = cache.add(batch, {key: CountIncrement({name: one_view(visitors=1)}, 60)}, {key: bound})

    assert "real" in change.values


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=12), max_size=8),
    most=st.integers(1, 5),
    restarts=st.booleans(),
)
def test_whatever_comes_the_sum_is_right_and_the_stored_hash_bounded(
    worlds: Worlds, batches: list[list[tuple[int, int]]], most: int, restarts: bool
) -> None:
    world, key = worlds("memory"), "rs:{p0}:test"
    world.client.delete(key)
    cache, bound = CountCache(), Bound(most, key, FIRST_OF_VISITORS)
    expected = [0] * len(ITEM_METRICS)
    for number, names in enumerate(batches):
        amounts: dict[str, list[int]] = {}
        for name, visitors in names:
            counts = amounts.setdefault(str(name), [0] * len(ITEM_METRICS))
            for metric, amount in enumerate(one_view(visitors=visitors)):
                counts[metric] += amount
                expected[metric] += amount
        if not amounts:
            continue
        if restarts:
            cache = CountCache()
        with world.store.batch(0) as batch:
            batch.request(expected="" if not number else world.store.positions([0])[0], users=[])
            batch.read()
            changes = cache.add(batch, {key: CountIncrement(amounts, 60)}, {key: bound})
            batch.send(Changes(next_position=str(number + 1), progress=b"", counts=changes))
            batch.wait_acknowledged()

        stored = world.client.hgetall(key)
        assert len(stored.keys() - {b""}) <= most
        assert [sum(column) for column in zip(*map(decode, stored.values()), strict=True)] == expected


def test_what_is_told_apart_of_a_flood_stays_packed(worlds: Worlds) -> None:
    """A thousand made-up ids of as many networks in batch after batch: Redis holds the rest in one small listpack."""
    world, key = worlds("memory"), "rs:{p0}:test"
    cache, bound = CountCache(), Bound(MIN_UNKNOWN_ITEMS, key, FIRST_OF_VISITORS, REGULARS)

    for number in range(8):
        flood = {f"{number}-{one:09}": [*one_view(visitors=1), number * 999 + one + 1] for one in range(999)}
        with world.store.batch(0) as batch:
            batch.request(expected=str(number or ""), users=[])
            batch.read()
            changes = cache.add(batch, {key: CountIncrement(flood, 60, is_of_items=True)}, {key: bound})
            batch.send(Changes(next_position=str(number + 1), progress=b"", counts=changes))
            batch.wait_acknowledged()

    assert world.client.hlen(key) == MIN_UNKNOWN_ITEMS + 1
    assert world.client.object("encoding", key) in {b"listpack", b"ziplist"}, "its name before Redis 7 is the second"
    assert sum(decode(blob)[0] for blob in world.client.hgetall(key).values()) == 8 * 999
