"""A valid event can always be applied: the largest that the contract takes fits every state, count, sum and dtype."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.money import MAX_ORDER_MINOR, MAX_SUM, bounded, saturated
from features.state import purchases
from features.state.orders.standing import NOTHING, Standing, move_profile
from features.state.states import ProfileState
from features.store.item_stats import ItemStatsMerger, load_item_stats
from features.store.placement_stats import read_placement_stats
from tests.features.conftest import PARTITIONS, World
from tests.features.making import LATENESS_MS, NOW_MS, SITE
from tracking.contract.events import MAX_ITEMS, EventItem, EventRecord, Purchase, PurchaseParams, log_key
from tracking.contract.parsing import encode_record, parse_record

Worlds = Callable[..., World]
LARGEST = EventItem(item_id="gold", price=1e12, quantity=100_000)


def purchase(number: int, *, at_ms: int, user: str, value: float | None = None) -> EventRecord:
    params = PurchaseParams(transaction_id=f"T{number}", items=(LARGEST,) * MAX_ITEMS, value=value, currency="EUR")
    event = Purchase(event_id=f"order-{number:06}", occurred_at_ms=at_ms, params=params)
    return EventRecord(v="1.0", site=SITE, received_at_ms=at_ms, anonymous_id=user, events=(event,))


def test_the_bounds_fit_every_number_that_holds_a_sum() -> None:
    assert np.iinfo(np.int64).max >= MAX_SUM
    assert int(float(MAX_SUM)) == MAX_SUM
    assert msgspec.json.decode(msgspec.json.encode(MAX_SUM)) == MAX_SUM
    assert np.iinfo(np.int64).max >= 1_024 * MAX_SUM  # so many full sums may meet before they are bounded again
    assert round(1e12 * 100) == MAX_ORDER_MINOR  # the contract's largest amount counts in full


@given(st.integers(-(10**30), 10**30))
def test_a_bounded_amount_is_itself_or_the_bound(minor: int) -> None:
    assert bounded(minor) == minor or abs(bounded(minor)) == MAX_ORDER_MINOR <= abs(minor)
    assert saturated(minor) == minor or abs(saturated(minor)) == MAX_SUM <= abs(minor)


def test_a_profile_of_many_largest_orders_is_stored_and_read() -> None:
    profile = ProfileState()
    for number in range(200):
        revenue = purchases.value_of((LARGEST,) * MAX_ITEMS, None, "EUR")
        counted = Standing(at_ms=NOW_MS, orders=1, units=10**8, value=revenue, refunded=revenue)
        move_profile(profile, number, NOTHING, counted)

    assert (profile.revenue, profile.refunded, profile.orders) == (MAX_SUM, MAX_SUM, 200)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(profile), type=ProfileState) == profile


@pytest.mark.redis
def test_the_largest_purchases_are_applied_counted_merged_and_reported(worlds: Worlds) -> None:
    world = worlds("memory")
    users = [f"{number:016}" for number in range(12)]
    at_ms = time.time_ns() // 1_000_000  # of the log's own clock, which bounds the watermarks
    records = [purchase(number, at_ms=at_ms, user=user) for number, user in enumerate(users * 10)]
    records += [purchase(1_000 + number, at_ms=at_ms, value=1e12, user=user) for number, user in enumerate(users)]
    assert [parse_record(encode_record(record)) for record in records] == records  # all are valid
    world.fill([(log_key(SITE, record.user_key), encode_record(record)) for record in records])

    world.drain()

    ledger = world.ledger()
    assert (ledger["applied"], ledger.get("dead_lettered", 0)) == (len(records), 0)
    merger = ItemStatsMerger(world.client, partitions=PARTITIONS, log_name=world.log_name, lateness_ms=LATENESS_MS)
    assert merger.merge() == {SITE: 1}
    assert load_item_stats(world.client, SITE).count("gold", "revenue", "7d") == MAX_SUM
    assert read_placement_stats(world.client, SITE, day=at_ms // 86_400_000, partitions=PARTITIONS) is not None
