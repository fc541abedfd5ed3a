"""An event counts once, and a late order counts however busy its user was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definitions import KEEP_SEEN, KEEP_SEEN_ORDERS
from features.state.counting.seen import Limits, SeenIds, hash_id, join, remember
from features.state.states import MAX_STATE_BYTES, encode
from tests.features.making import LATENESS_MS, NOW_MS, States, event, record

OLDEST_MS = NOW_MS - LATENESS_MS


def clicks(n: int) -> list[dict[str, Any]]:
    return [event("view_item", items=[f"sku{number % 300}"], at_ms=NOW_MS - 1_000 + number) for number in range(n)]


def order(name: str, *, at_ms: int) -> dict[str, Any]:
    return event("purchase", at_ms=at_ms, transaction_id=name, items=[{"item_id": "a", "price": 5.0}])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    busy=st.integers(0, 4 * KEEP_SEEN),
    ages_ms=st.lists(st.integers(1_000, LATENESS_MS - 1), min_size=1, max_size=4),
    source=st.sampled_from(["browser", "server", "import"]),
)
def test_a_late_order_counts_once_however_busy_the_user_was(busy: int, ages_ms: list[int], source: str) -> None:
    states = States().apply(record(*clicks(busy), source=source), oldest_ms=OLDEST_MS)
    late = [record(order(f"t{n}", at_ms=NOW_MS - age_ms), source=source) for n, age_ms in enumerate(ages_ms)]

    states.apply(*late, oldest_ms=OLDEST_MS)
    states.apply(record(*clicks(busy), source=source), *late, oldest_ms=OLDEST_MS)

    assert (states.profile.orders, states.profile.revenue) == (len(ages_ms), 500 * len(ages_ms))


@pytest.mark.parametrize("kind", ["purchase", "refund"])
def test_a_refund_is_remembered_as_an_order_is(kind: str) -> None:
    late = record(event(kind, at_ms=NOW_MS - 60_000, transaction_id="t", items=[{"item_id": "a", "price": 5.0}]))
    states = States().apply(record(*clicks(3 * KEEP_SEEN)))

    states.apply(late, late)

    assert states.effects.duplicate == 1
    assert states.profile.orders + states.profile.refunds == 1


def test_an_id_counted_before_orders_had_a_memory_of_their_own_still_counts_once() -> None:
    one = order("t", at_ms=NOW_MS)
    states = States().apply(record(one))
    profile = states.profile
    profile.seen, profile.seen_orders = profile.seen_orders.at_s, SeenIds()
    assert list(profile.seen) == [hash_id(one["event_id"])]
    states.profile_blob = encode(profile)

    states.apply(record(one))

    assert states.profile.orders == 1


@pytest.mark.slow
def test_thousands_of_orders_stay_within_a_state_and_count_at_most_once() -> None:
    made = [order(f"t{n}", at_ms=NOW_MS + 1_000 * n) for n in range(5 * KEEP_SEEN_ORDERS)]
    states = States().apply(record(*made)).apply(record(*reversed(made)))

    assert states.profile.orders == len(made)
    assert len(states.profile.seen_orders.at_s) <= KEEP_SEEN_ORDERS
    assert states.profile_blob is not None
    assert len(states.profile_blob) <= MAX_STATE_BYTES


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2_000)), max_size=300), st.integers(16, 64))
def test_what_is_forgotten_is_refused(made: list[tuple[int, int]], keep: int) -> None:
    ids: dict[int, int] = {}
    counted: set[int] = set()
    until_s = 0
    for name, at_s in made:
        hashed = hash_id(f"{name} {at_s}")
        if hashed in ids or at_s <= until_s:
            continue
        assert hashed not in counted
        counted.add(hashed)
        until_s = remember(ids, hashed, at_s=at_s, until_s=until_s, lateness_s=10_000, limits=Limits(keep, keep // 2))
        assert len(ids) <= keep


def test_two_memories_become_one() -> None:
    assert join(SeenIds({1: 5}, 3), SeenIds({2: 6}, 4)) == SeenIds({1: 5, 2: 6}, 4)
