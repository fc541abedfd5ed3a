"""Orders reported by several user keys of several partitions: one owner, whom the others' reports reach by the log."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features import keys
from features.archive.replay import Replayer, differences
from features.archive.writer import ArchiveFolder
from features.definitions import DAY_MS
from features.state import windows
from features.state.orders.book import Forwarding
from features.state.orders.forwarded import as_record
from features.state.purchases import hash64
from features.state.states import decode_profile
from features.store.online import OnlineStore
from features.store.orders import copy_owners
from features.store.scan import _item_counts, scan_states
from tests.features.archive.test_writer import archive_all, frame_of
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, NOW_MS, event, record, wire
from tests.features.traffic import START_MS
from tracking.contract.parsing import parse_record

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]
BACKENDS = [
    pytest.param("memory"),
    pytest.param("redis", marks=pytest.mark.slow),
    pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.slow]),
]
ORDERS = 300


def orders(count: int = ORDERS, *, seed: int = 3) -> list[tuple[bytes, bytes]]:
    """Return orders that are told by page, reload and server, each in any order; a third of them is refunded twice."""
    rnd = random.Random(seed)
    told: list[tuple[int, Any]] = []
    for number in range(count):
        at_ms = START_MS + number
        page = {"anonymous_id": f"anonymous-{number % 40:010d}"}
        server = {"anonymous_id": None, "user_id": f"user{number % 50}", "source": "server"}
        items = [{"item_id": f"item{number % 7}", "price": 12.5, "quantity": 2}, {"item_id": "item9", "price": 5.0}]
        purchase = {"transaction_id": f"T{number}", "items": items, "value": 30.0}
        reports = [
            record(event("purchase", at_ms=at_ms, **purchase), **page),
            record(event("purchase", at_ms=at_ms + 1_000, **purchase), **page),
            record(event("purchase", at_ms=at_ms + 2_000, **purchase), **server),
        ]
        if number % 3 == 0:
            back = {"transaction_id": f"T{number}", "items": [{"item_id": "item9"}]}
            reports += [record(event("refund", at_ms=at_ms + 3_000, **back), **who) for who in (page, server)]
        told += [(number * 10 + rnd.randrange(100), one) for one in reports]
    told.sort(key=lambda pair: pair[0])
    return [wire(one) for _, one in told]


def money(world: World) -> dict[str, Any]:
    """Return what all users have bought and given back, and what was bought of the items."""
    profiles = [
        decode_profile(stored.blob)
        for stored in scan_states(world.client, partitions=world.log.partitions, view=keys.PROFILE)
    ]
    pieces: Counter[str] = Counter()
    at_ms = START_MS + ORDERS
    for (width_s, _, item_id), counts in _item_counts(world.client, "shop", at_ms, partitions=4).items():
        if width_s == 21_600:
            pieces[item_id] += counts[windows.PURCHASES]
            pieces["all"] += counts[windows.REVENUE]
    names = ("orders", "units", "revenue", "refunds", "refunded")
    return {**{name: sum(getattr(one, name) for one in profiles) for name in names}, "pieces": pieces}


def expected(count: int = ORDERS) -> dict[str, Any]:
    refunds = -(-count // 3)
    pieces = Counter({"item9": count - refunds, "all": 3_000 * count - 500 * refunds})
    for number in range(count):
        pieces[f"item{number % 7}"] += 2
    return {
        "orders": count,
        "units": 3 * count,
        "revenue": 3_000 * count,
        "refunds": refunds,
        "refunded": 500 * refunds,
        "pieces": pieces,
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_order_counts_once_whoever_reports_it(worlds: Worlds, backend: str) -> None:
    world = worlds(backend)
    world.batch_records = 50
    world.fill(orders())
    world.drain()

    assert money(world) == expected()
    # What was forwarded is no event: the ledger balances, and nothing is met twice.
    assert world.ledger() == {"applied": 3 * ORDERS + 2 * ORDERS // 3}


@pytest.mark.slow
@pytest.mark.parametrize("backend", [one for one in BACKENDS if one.values != ("memory",)])
def test_a_worker_killed_while_it_forwards_doubles_nothing(worlds: Worlds, backend: str) -> None:
    world = worlds(backend)
    world.batch_records = 20
    world.fill(orders())
    for kill in range(4):
        before = world.records_applied()
        process = world.start()
        world.wait_for(lambda before=before: world.records_applied() > before + 30)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert world.lag() > 0, f"all was done before kill {kill}; the test shows nothing"
    world.drain()

    assert money(world) == expected()


def test_the_archive_holds_reports_once_and_a_replay_finds_the_owners(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds("memory")
    sent = orders()
    world.fill(sent)
    world.drain()
    folder = ArchiveFolder(str(tmp_path))
    archive_all(world, folder)
    assert frame_of(folder)["event_id"].n_unique() == len(sent)
    assert len(frame_of(folder).unique(["event_id", "row"])) == len(frame_of(folder))

    for source in ("archive", "log"):
        other = worlds("memory")
        store = OnlineStore(other.client, log_name=other.log_name, session_ttl_s=900, profile_ttl_s=90 * 86_400)
        replayer = Replayer(store, partitions=4, lateness_ms=LATENESS_MS)
        if source == "archive":
            replayer.from_archive(folder, sites=["shop"])
        else:
            replayer.from_log(world.log)
        assert money(other) == expected(), source


def test_a_replay_that_is_compared_keeps_the_owners(worlds: Worlds) -> None:
    world, other = worlds("memory"), worlds("memory")
    world.fill(orders(60))
    world.drain()
    assert copy_owners(world.client, other.client) == 60
    store = OnlineStore(other.client, log_name=other.log_name, session_ttl_s=900, profile_ttl_s=90 * 86_400)

    Replayer(store, partitions=4, lateness_ms=LATENESS_MS).from_log(world.log)

    assert list(differences(world.client, other.client, partitions=4, lateness_ms=LATENESS_MS)) == []


def test_an_order_and_its_owner_are_forgotten_together(worlds: Worlds) -> None:
    world = worlds("memory")
    world.fill(orders(5))
    world.drain()

    names = [name for name in world.client.scan_iter("rs:*") if b":order" in name]
    ttls = {name.decode().split(":")[3]: world.client.ttl(name) for name in names}
    assert set(ttls) == {"order", "orders", "order-owner"}
    assert all(keys.ORDER.ttl_s - 3_600 < ttl <= keys.ORDER.ttl_s for ttl in ttls.values())
    assert len([name for name in names if b":order-owner:" in name]) == 5


def test_an_order_of_past_years_is_forgotten_soon_and_never_before_its_time(worlds: Worlds) -> None:
    world = worlds("memory")
    old_ms, who = START_MS - 900 * DAY_MS, {"anonymous_id": None, "user_id": "7", "source": "import"}
    for transaction, at_ms in (("old", old_ms), ("new", START_MS), ("old", START_MS)):
        one = event("purchase", at_ms=at_ms, transaction_id=transaction, items=["a"])
        world.fill([wire(record(one, **who))])
        world.drain()

    days = {
        name.decode().split(":", 3)[3]: round(world.client.ttl(name) / 86_400)
        for name in world.client.scan_iter("rs:*")
        if b":order" in name
    }
    old, new = (f"{hash64(name):016x}" for name in ("old", "new"))
    # A claim lasts as long as its newest report says, so that it outlives the order, which knows when it was placed.
    assert days == {
        f"order:{old}:u:7": 7, f"order:{new}:u:7": 400, "orders:u:7": 400,
        f"order-owner:{old}": 400, f"order-owner:{new}": 400,
    }  # fmt: skip


def test_what_is_forwarded_is_read_as_it_was_written() -> None:
    (purchase,) = record(event("purchase", transaction_id="T", items=["a"])).events
    clicks = ((NOW_MS - 5, "a", "home|live|v1|"),)

    for owner, clicked in (("u:7", clicks), ("a:" + "b" * 16, ())):
        key, value = as_record("shop", Forwarding(owner, 2**64 - 1, purchase, clicked, "server"), now_ms=NOW_MS)  # type: ignore[arg-type]
        read = parse_record(value)
        assert (key.decode(), read.user_key) == (f"shop/{owner}", owner)
        assert (read.events, read.source) == ((purchase,), "server")
        assert read.forwarded is not None
        assert read.forwarded.order == 2**64 - 1
        assert [(one.occurred_at_ms, one.item_id, one.label) for one in read.forwarded.clicks] == list(clicked)
