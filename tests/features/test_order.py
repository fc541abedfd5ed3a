"""Whatever the order, however often, and wherever a worker dies: the states mean the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.exceptions import OrdersNeeded
from features.state import attribution, windows
from features.state.batch import StoredBatch, apply_batch, parse_batch
from features.state.orders.forwarded import as_record
from features.state.progress import Progress, encode
from features.state.states import canonical, decode_profile, decode_session
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, SITE, event, record, wire
from tracking.log import Record

ITEMS = st.sampled_from(["a", "b", "c", "d"])
QUANTITIES = st.integers(1, 3)


def items_of(draw: Any) -> list[dict[str, Any]]:
    return [
        {"item_id": draw(ITEMS), "price": draw(st.sampled_from([0.1, 0.2, 19.99])), "quantity": draw(QUANTITIES)}
        for _ in range(draw(st.integers(1, 2)))
    ]


@st.composite
def events(draw: Any) -> dict[str, Any]:
    """One event within the lateness window, to a hundred milliseconds so that times are often equal."""
    at_ms = NOW_MS + 100 * draw(st.integers(0, (LATENESS_MS - MINUTE_MS) // 100))
    kind = draw(
        st.sampled_from(
            [
                "page_view", "view_item_list", "select_item", "view_item", "add_to_cart", "remove_from_cart",
                "view_cart", "begin_checkout", "add_to_wishlist", "purchase", "refund", "search",
            ]
        )
    )  # fmt: skip
    params: dict[str, Any] = {}
    if kind == "search":
        params["search_term"] = draw(st.sampled_from(["lamp", "red  Lamp", "sofa"]))
    elif kind != "page_view":
        params["items"] = items_of(draw)
    if kind in ("view_item_list", "select_item"):
        params["item_list_id"] = draw(st.sampled_from(["home", "cart"]))
    if kind in ("purchase", "refund"):
        params["transaction_id"] = draw(st.sampled_from(["t1", "t2", "t3"]))
    if kind == "refund" and draw(st.booleans()):
        del params["items"]
    return event(kind, at_ms=at_ms, **params)


USERS = (
    {"anonymous_id": "anonymous-0000000001"},
    {"anonymous_id": "anonymous-0000000002"},
    {"anonymous_id": "anonymous-0000000002", "user_id": "7"},
)


class Store:
    """A store in memory that is as exact as Redis: a batch is written as a whole, or not at all."""

    def __init__(self) -> None:
        self.progress = encode(Progress())
        self.sessions: dict[tuple[str, str], bytes] = {}
        self.profiles: dict[tuple[str, str], bytes] = {}
        self.orders: dict[tuple[str, str, int], bytes] = {}
        self.owners: dict[tuple[str, int], str] = {}
        self.forwarded: list[tuple[bytes, bytes]] = []
        self.counts: Counter[tuple[str, str, int]] = Counter()

    def run(self, records: list[Record], *, dies: bool) -> None:
        parsed = parse_batch(0, records)
        stored = StoredBatch(
            progress=self.progress,
            erased={},
            sessions={user: self.sessions.get(user) for user in parsed.by_user},
            profiles={user: self.profiles.get(user) for user in parsed.by_user},
        )
        while True:
            try:
                applied = apply_batch(parsed, stored, lateness_ms=LATENESS_MS)
                break
            except OrdersNeeded as needed:
                self._look_up(needed.orders, stored)
        # Durable before the batch is written; whoever dies sends it again.
        self.forwarded += [as_record(site, one, now_ms=NOW_MS) for site, one in applied.forwardings]
        if dies:
            return
        self.progress = encode(applied.progress)
        self.sessions.update(applied.sessions)
        self.profiles.update(applied.profiles)
        self.orders |= {(*user, order): blob for user, own in applied.orders.items() for order, blob in own.items()}
        for key, (fields, _, _) in applied.increments.items():
            for name, amounts in fields.items():
                n_sums = windows.N_SUMS if ":items:" in key else len(amounts)
                for metric, amount in enumerate(amounts[:n_sums]):
                    self.counts[key, name, metric] += amount
                for tag in amounts[n_sums:]:  # of a network; seen once or often is the same
                    self.counts[key, name, tag + windows.N_SUMS] = 1

    def _look_up(self, needed: list[tuple[str, str, int]], stored: StoredBatch) -> None:
        for site, user_key, order in needed:
            owner = self.owners.setdefault((site, order), user_key)
            if owner == user_key:
                stored.orders.setdefault((site, user_key), {})[order] = self.orders.get((site, user_key, order))
            else:
                stored.owners.setdefault((site, user_key), {})[order] = owner

    def meaning(self) -> dict[str, Any]:
        live = ":items:60:"
        return {
            "sessions": {
                user: canonical(decode_session(blob), lateness_ms=LATENESS_MS)
                for user, blob in sorted(self.sessions.items())
            },
            "profiles": {
                user: canonical(decode_profile(blob), lateness_ms=LATENESS_MS)
                for user, blob in sorted(self.profiles.items())
            },
            # Panes that the newest event left behind may be there or not, as no window reaches them any more.
            "counts": {
                name: n for name, n in self.counts.items() if n and live not in name[0] and ":items:300:" not in name[0]
            },
        }


def log_of(records: list[Any]) -> list[Record]:
    return [Record(0, str(n + 1), *wire(one), NOW_MS) for n, one in enumerate(records)]


def run_through(records: list[Any], *, batches: list[int], deaths: list[bool]) -> Store:
    store = Store()
    log = log_of(records)
    number = 0
    while log:
        piece = log[: batches[number % len(batches)]]
        if deaths[number % len(deaths)]:
            store.run(piece, dies=True)
        store.run(piece, dies=False)
        log = [*log[len(piece) :], *(Record(0, f"f{number}", *one, NOW_MS) for one in store.forwarded)]
        store.forwarded.clear()
        number += 1
    return store


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_order_duplicates_and_crashes_change_nothing(data: st.DataObject) -> None:
    made = data.draw(st.lists(st.tuples(events(), st.sampled_from(USERS)), min_size=1, max_size=24))
    for (
        one,
        user,
    ) in made:  # an order that several users report stands with one of them: see state.orders.test_many_reporters
        if "transaction_id" in one["params"]:
            one["params"]["transaction_id"] += "".join(user.values())
    records = [record(one, received_at_ms=NOW_MS + 2 * LATENESS_MS, **user) for one, user in made]
    resent = data.draw(st.lists(st.sampled_from(records), max_size=8))
    shuffled = data.draw(st.permutations([*records, *resent]))
    batches = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    deaths = data.draw(st.lists(st.booleans(), min_size=1, max_size=5))
    in_order = sorted(records, key=lambda one: one.events[0].occurred_at_ms)

    clean = run_through(in_order, batches=[len(in_order)], deaths=[False])
    rough = run_through(shuffled, batches=batches, deaths=deaths)

    assert rough.meaning() == clean.meaning()


def test_an_error_of_one_event_is_noticed() -> None:
    records = [record(event("view_item", items=["a"], at_ms=NOW_MS + n)) for n in range(30)]

    whole = run_through(records, batches=[7], deaths=[False])
    short = run_through(records[:-1], batches=[7], deaths=[False])

    assert whole.meaning() != short.meaning()


def test_sums_of_panes_and_of_placements_are_whole_numbers() -> None:
    panes = windows.pane_increments([windows.ItemEffect("a", NOW_MS, windows.PURCHASES, 2, 30)] * 3, now_ms=NOW_MS)
    assert {tuple(counts["a"]) for counts in panes.values()} == {(0, 0, 6, 90, 0, 0, 0, 0)}
    assert len(panes) == len(windows.WIDTHS_S)
    credited = attribution.sum_effects([attribution.PlacementEffect("home|||", 3, attribution.CLICKS, 1)] * 2)
    assert credited == {3: {"home|||": [0, 0, 2, 0, 0, 0, 0]}}


def test_the_site_of_a_record_keeps_states_apart() -> None:
    store = run_through(
        [record(event("page_view"), site=SITE), record(event("page_view"), site="other")], batches=[2], deaths=[False]
    )
    assert {site for site, _ in store.profiles} == {SITE, "other"}
