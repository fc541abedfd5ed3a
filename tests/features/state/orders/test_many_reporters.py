"""Orders of a site, whoever reports them: the same money, pieces and credit, whatever happens on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.exceptions import OrdersNeeded
from features.state import windows
from features.state.batch import Applied, StoredBatch, apply_batch, parse_batch
from features.state.orders.forwarded import as_record
from features.state.progress import Progress, encode
from features.state.purchases import hash64
from features.state.states import ProfileState, decode_profile
from features.state.states import encode as encode_state
from features.state.user_features import rfm_of
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, States, event, record, wire
from tracking.contract.events import EventRecord
from tracking.log import Record
from tracking.log.base import partition_for

PARTITIONS = 3
REPORTERS: tuple[dict[str, Any], ...] = (
    {"anonymous_id": "anonymous-0000000001"},
    {"anonymous_id": "anonymous-0000000002"},
    {"anonymous_id": None, "user_id": "7", "source": "server"},
    {"anonymous_id": None, "user_id": "8", "source": "server"},
    {"anonymous_id": None, "user_id": "7", "source": "import"},
)
ITEM = st.sampled_from("abc")
PRICE = st.sampled_from([None, 1.25, 20.0])


def _lines(draw: Any) -> list[dict[str, Any]]:
    lines = [
        {"item_id": draw(ITEM), "quantity": draw(st.integers(1, 3)), "price": draw(PRICE)}
        for _ in range(draw(st.integers(1, 3)))
    ]
    return [{name: value for name, value in line.items() if value is not None} for line in lines]


@st.composite
def reports(draw: Any) -> EventRecord:
    """One event of somebody who has to do with one of two orders."""
    kind = draw(st.sampled_from(["purchase", "purchase", "purchase", "refund", "select_item", "add_to_cart"]))
    at_ms = NOW_MS + draw(st.integers(0, 12)) * MINUTE_MS
    params: dict[str, Any] = {}
    if kind != "refund" or draw(st.booleans()):
        params["items"] = _lines(draw)
    if kind == "select_item":
        params["item_list_id"] = draw(st.sampled_from(["home", "cart"]))
    if kind in ("purchase", "refund"):
        params["transaction_id"] = draw(st.sampled_from(["t1", "t2"]))
        value = draw(st.sampled_from([None, 5.0, 60.0]))
        if value is not None:
            params["value"] = value
    one = event(kind, at_ms=at_ms, **params)
    return record(one, received_at_ms=NOW_MS + 2 * LATENESS_MS, **draw(st.sampled_from(REPORTERS)))


class Site:
    """The partitions of a site, each with its log and its store; who an order stands with is known to all of them."""

    def __init__(self) -> None:
        self.logs: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
        self.progress = [encode(Progress())] * PARTITIONS
        self.states: tuple[dict[Any, bytes], dict[Any, bytes], dict[Any, bytes]] = ({}, {}, {})
        self.owners: dict[tuple[str, int], str] = {}
        self.counts: Counter[tuple[str, str, int]] = Counter()

    def append(self, key: bytes, value: bytes) -> None:
        self.logs[partition_for(key, PARTITIONS)].append((key, value))

    def step(self, partition: int, size: int, *, dies: bool) -> None:
        """Apply the next records of a partition; a worker that dies has forwarded, and written nothing."""
        taken = self.logs[partition][:size]
        parsed = parse_batch(partition, [Record(partition, str(n), *one, NOW_MS) for n, one in enumerate(taken)])
        sessions, profiles, orders = self.states
        stored = StoredBatch(
            progress=self.progress[partition],
            erased={},
            sessions={user: sessions.get(user) for user in parsed.by_user},
            profiles={user: profiles.get(user) for user in parsed.by_user},
        )
        applied = self._apply(lambda: apply_batch(parsed, stored, lateness_ms=LATENESS_MS), stored)
        for site, forwarding in applied.forwardings:
            self.append(*as_record(site, forwarding, now_ms=NOW_MS))
        if dies:
            return
        del self.logs[partition][: len(taken)]
        self.progress[partition] = encode(applied.progress)
        sessions.update(applied.sessions)
        profiles.update(applied.profiles)
        orders |= {(*user, order): blob for user, own in applied.orders.items() for order, blob in own.items()}
        for key, increment in applied.increments.items():
            for name, amounts in increment.amounts.items():
                for metric, amount in enumerate(amounts[: windows.N_SUMS] if ":items:" in key else amounts):
                    self.counts[key.partition(":")[2].partition(":")[2], name, metric] += amount

    def _apply(self, attempt: Callable[[], Applied], stored: StoredBatch) -> Applied:
        while True:
            try:
                return attempt()
            except OrdersNeeded as needed:
                for site, user_key, order in needed.orders:
                    owner = self.owners.setdefault((site, order), user_key)
                    if owner == user_key:
                        blob = self.states[2].get((site, user_key, order))
                        stored.orders.setdefault((site, user_key), {})[order] = blob
                    else:
                        stored.owners.setdefault((site, user_key), {})[order] = owner

    def money(self) -> dict[str, Any]:
        """Return what all users together have bought, what was asked for, and what placements are credited with."""
        profiles = [decode_profile(blob) for blob in self.states[1].values()]
        days: Counter[tuple[int, int]] = Counter()
        for profile in profiles:
            for day, sums in profile.days.items():
                days.update({(day, n): amount for n, amount in enumerate(sums)})
        names = ("orders", "units", "revenue", "refunds", "refunded")
        return {
            **{name: sum(getattr(profile, name) for profile in profiles) for name in names},
            "days": {name: amount for name, amount in days.items() if amount},
            "rfm": rfm_of(profiles, now_ms=NOW_MS + 20 * MINUTE_MS),
            # A visitor counts once a day for the user key with which the order stands, whichever that is.
            "counts": {
                name: n
                for name, n in self.counts.items()
                if n and not (":items:" in name[0] and name[2] >= windows.FIRST_OF_VISITORS) and ":60:" not in name[0]
            },
        }


def run(records: list[EventRecord], *, partitions: list[int], sizes: list[int], deaths: list[bool]) -> Site:
    """Apply records, partitions taking turns in the given order, until nothing is left to do."""
    site = Site()
    for one in records:
        site.append(*wire(one))
    turn = 0
    while any(site.logs):
        partition = partitions[turn % len(partitions)] if turn < 40 else turn % PARTITIONS
        dies = deaths[turn % len(deaths)] and turn < 40
        site.step(partition, sizes[turn % len(sizes)], dies=dies)
        turn += 1
    return site


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(made=st.lists(reports(), min_size=1, max_size=9), data=st.data())
def test_whoever_reports_what_in_whatever_order_and_however_often(made: list[EventRecord], data: st.DataObject) -> None:
    resent = data.draw(st.lists(st.sampled_from(made), max_size=4))
    shuffled = data.draw(st.permutations([*made, *resent]))
    rough = run(
        shuffled,
        partitions=data.draw(st.lists(st.integers(0, PARTITIONS - 1), min_size=1, max_size=6)),
        sizes=data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)),
        deaths=data.draw(st.lists(st.booleans(), min_size=1, max_size=5)),
    )

    clean = run(made, partitions=[0, 1, 2], sizes=[99], deaths=[False])

    assert rough.money() == clean.money()


PURCHASE = {"transaction_id": "t", "value": 60.0, "items": [{"item_id": "a", "price": 20.0, "quantity": 3}]}


@pytest.mark.parametrize("others", [(0, 0), (0, 1), (2, 4), (1, 2, 4), (2, 0, 2)])
def test_an_order_reported_by_several_counts_once(others: tuple[int, ...]) -> None:
    records = [
        record(event("purchase", at_ms=NOW_MS + n, **PURCHASE), **REPORTERS[who]) for n, who in enumerate(others)
    ]

    money = run(records, partitions=[0, 1, 2], sizes=[1], deaths=[False]).money()

    assert (money["orders"], money["units"], money["revenue"]) == (1, 3, 6_000)
    assert {n for (key, _, metric), n in money["counts"].items() if metric == windows.REVENUE} == {6_000}


@pytest.mark.parametrize("refunding", range(len(REPORTERS)))
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_refund_finds_its_order_whoever_reports_it(refunding: int, comes_first: bool) -> None:
    click = record(event("select_item", at_ms=NOW_MS - 9, items=["a"], item_list_id="home"), **REPORTERS[0])
    bought = record(event("purchase", **PURCHASE), **REPORTERS[0])
    refund = event("refund", at_ms=NOW_MS + 9, transaction_id="t", items=[{"item_id": "a", "quantity": 2}])
    again = {**refund, "event_id": "another-event-id"}
    returned = [record(one, **REPORTERS[refunding]) for one in (refund, again)]
    records = [click, *returned, bought] if comes_first else [click, bought, *returned]

    money = run(records, partitions=[2, 1, 0], sizes=[1], deaths=[True, False]).money()

    assert (money["orders"], money["revenue"], money["refunds"], money["refunded"]) == (1, 6_000, 1, 4_000)
    assert money["rfm"].monetary_30d == 2_000
    pieces = {(name, metric): n for (key, name, metric), n in money["counts"].items() if ":items:3600:" in key}
    assert pieces == {("a", windows.PURCHASES): 1, ("a", windows.REVENUE): 2_000}
    credit = {metric: n for (key, name, metric), n in money["counts"].items() if name == "home|||"}
    assert credit == {2: 1, 4: 1, 5: 1, 6: 2_000}


def test_a_profile_of_version_0_1_keeps_what_it_counted() -> None:
    """Its orders are known by time and value alone; what is heard of them later counts by the difference."""
    states = States()
    old = ProfileState(orders=2, units=4, revenue=9_000, last_purchase_ms=NOW_MS, is_fully_loaded=True)
    old.days = {NOW_MS // 86_400_000: [2, 9_000]}
    old.transactions = {hash64("t"): [NOW_MS, 6_000, 0], hash64("other"): [NOW_MS - 5, 3_000, 0]}
    states.profile_blob = encode_state(old)

    states.apply(record(event("purchase", **PURCHASE)))
    assert (states.profile.orders, states.profile.units, states.profile.revenue) == (2, 4, 9_000)
    assert not any(one.amount or one.revenue for one in states.effects.items)

    states.apply(record(event("refund", transaction_id="t", value=10.0)), record(event("refund", transaction_id="t")))
    assert (states.profile.refunds, states.profile.refunded, states.profile.last_purchase_ms) == (2, 6_000, NOW_MS)
    assert states.profile.days == {NOW_MS // 86_400_000: [2, 3_000]}
