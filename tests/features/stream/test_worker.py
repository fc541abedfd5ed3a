"""The stream worker as Celery runs it, what it does with records it cannot apply, and users who come back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from features import keys
from features.exceptions import StoreUnavailable
from features.state import handlers
from features.state.batch import User, apply_batch, parse_batch
from features.state.counting import votes
from features.state.merging import merged
from features.state.states import decode_profile
from features.state.user_features import StateBlobs, merge
from features.store.reader import OnlineReader
from features.stream.loop import StreamWorker
from features.stream.notify import announce_changed, listen_changed
from tests.features.conftest import ROOT, World
from tests.features.making import (
    ANONYMOUS,
    LATENESS_MS,
    MINUTE_MS,
    NOW_MS,
    States,
    applied,
    event,
    record,
    wire,
)
from tests.features.traffic import traffic
from tests.services.installations.migrated import put_migrated
from tests.services.waiting import wait_until_async
from tracking.log import Record

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]
KEY = f"shop/a:{ANONYMOUS}".encode()


@pytest.mark.slow
def test_celery_runs_shows_and_drains_the_worker(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds("redis")
    world.fill(traffic(500))
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "recsite.settings",
        "EVENT_LOG_URL": world.log_url,
        "REDIS_URL": world.redis_url,
        "RECSITE_DATA_DIR": str(tmp_path),
        "RECSITE_ARCHIVE_URL": str(tmp_path / "archive"),
    }
    # Orders are counted in the currency of their site, which stands in the database.
    put_migrated(tmp_path)
    celery = [sys.executable, "-m", "celery", "-A", "recsite"]
    out = (tmp_path / "worker.out").open("wb")
    worker = subprocess.Popen(
        [*celery, "worker", "-Q", "stream", "-P", "solo", "-l", "INFO", "--without-mingle", "--without-gossip"],
        cwd=ROOT, env=environment, stdout=out, stderr=out,
    )  # fmt: skip
    try:
        world.wait_for(lambda: world.lag() == 0)
        answer = subprocess.run(
            [*celery, "inspect", "stream", "--json", "--timeout", "10"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
        out.close()

    (status,) = next(iter(json.loads(answer.stdout[answer.stdout.index("{") :]).values()))
    assert status["events"]["applied"] == 500
    assert sorted(status["positions"]) == ["0", "1", "2", "3"]
    assert "stream.stopped is_clean=True" in (tmp_path / "worker.out").read_text()
    assert list((tmp_path / "archive").rglob("*.parquet")), "the archive was not written at the stop"


def test_bad_and_future_records_leave_the_partition_going(worlds: Worlds) -> None:
    world = worlds("redis")
    good = wire(record(event("view_item", items=["a"])))
    future = (KEY, json.dumps({"v": "9.0", "site": "shop", "received_at_ms": 1, "new": True}).encode())
    world.fill([(KEY, b"not json"), future, (KEY, b'{"v":"1.0","site":"shop","received_at_ms":1}'), good])

    world.drain()

    assert world.ledger() == {"applied": 1, "dead_lettered": 2, "parked": 1}
    partition = keys.partition_of("shop", f"a:{ANONYMOUS}", 4)  # type: ignore[arg-type]
    letters = [json.loads(one.value) for one in world.log.sibling("dead-letters").read_all(partition)]
    assert [one["reason"] for one in letters] == ["invalid_json", "invalid_event"]
    assert letters[0]["partition"] == partition
    assert letters[0]["position"]
    assert [one.value for one in world.log.sibling("parked").read_all(partition)] == [future[1]]


@pytest.mark.expects_errors(r"stream\.(user_failed|quarantined)")
def test_a_record_that_breaks_a_function_is_left_out_after_three_tries(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def breaks(context: Any, one: Any) -> None:
        tries.append(one.event_id)
        if one.params.search_term == "poison":
            raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(handlers.HANDLERS, handlers.contract.Search, breaks)
    world = worlds("memory")
    world.fill(
        [
            wire(record(event("search", search_term="lamp"), event("view_item", items=["a"]))),
            wire(record(event("view_item", items=["b"]), event("search", event_id="poisonous", search_term="poison"))),
            wire(record(event("view_item", items=["c"]))),
        ]
    )

    world.drain()

    assert world.ledger() == {"applied": 3, "dead_lettered": 1}
    assert tries.count("poisonous") == 4  # in the batch, and three times alone
    profile = decode_profile(world.client.get(next(world.client.scan_iter("rs:*:profile:*"))))
    assert set(profile.recents) == {"va", "vc"}


@pytest.mark.expects_errors(r"stream\.halted")
def test_a_state_of_a_newer_version_is_not_touched(worlds: Worlds) -> None:
    world = worlds("memory")
    world.fill([wire(record(event("page_view")))])
    partition = keys.partition_of("shop", f"a:{ANONYMOUS}", 4)  # type: ignore[arg-type]
    key = keys.profile(partition, "shop", f"a:{ANONYMOUS}")
    world.client.set(key, b"\xc8whatever")
    worker = world.worker()

    for _ in range(20):
        worker.step(0.0)
    worker.close()

    assert list(worker.status.halted) == [partition]
    assert "UnknownState" in worker.status.halted[partition]
    assert "version 200" in worker.status.halted[partition]
    assert world.client.get(key) == b"\xc8whatever"
    assert world.ledger() == {}


def test_late_events_are_counted_and_change_nothing() -> None:
    first = record(event("view_item", items=["new"], at_ms=NOW_MS))
    late = record(event("view_item", items=["old"], at_ms=NOW_MS - 16 * MINUTE_MS), received_at_ms=NOW_MS)
    within = record(event("view_item", items=["mid"], at_ms=NOW_MS - 14 * MINUTE_MS), received_at_ms=NOW_MS)
    history = replace_source(late)
    from features.state.batch import StoredBatch
    from features.state.progress import Progress, encode

    log = [Record(0, str(n), *wire(one), 0) for n, one in enumerate((first, late, within, history))]
    batch = parse_batch(0, log)
    users = dict.fromkeys(batch.by_user)
    stored = StoredBatch(progress=encode(Progress()), erased={}, sessions=dict(users), profiles=dict(users))

    result = apply_batch(batch, stored, lateness_ms=LATENESS_MS)

    (profile,) = [decode_profile(blob) for blob in result.profiles.values()]
    assert (result.outcomes["applied"], result.outcomes["late"]) == (3, 1)
    assert profile.recents.keys() == {"vnew", "vmid", "vold"}  # the import has a watermark of its own


def replace_source(one: Any) -> Any:
    import msgspec

    event_of = msgspec.structs.replace(one.events[0], event_id="from-history")
    return msgspec.structs.replace(one, source="import", events=(event_of,))


class Past:
    """A database that knows one user."""

    def __init__(self, known: dict[User, bytes]) -> None:
        self.known = known
        self.asked: list[User] = []

    def start(self) -> None: ...

    def close(self) -> None: ...

    def may_know(self, site: str) -> bool:
        return True

    def request(self, users: Iterable[User]) -> None:
        self.asked += users

    def answers(self) -> dict[User, bytes | None]:
        asked, self.asked = self.asked, []
        return {user: self.known.get(user) for user in asked}


def test_a_user_whom_redis_forgot_gets_the_past_back(worlds: Worlds) -> None:
    world = worlds("memory")
    long_ago = applied(event("purchase", items=["lamp"], transaction_id="1", value=20.0, at_ms=NOW_MS - 10**10))
    assert long_ago.profile_blob is not None
    world.fill([wire(record(event("purchase", items=["sofa"], transaction_id="2", value=5.0)))])
    past = Past({("shop", f"a:{ANONYMOUS}"): long_ago.profile_blob})
    worker = StreamWorker(
        world.log, world.store, lateness_ms=LATENESS_MS, batch_records=100, announce=lambda changed: None, profiles=past
    )

    for _ in range(12):
        worker.step(0.05)
    worker.close()

    profile = decode_profile(world.client.get(next(world.client.scan_iter("rs:*:profile:*"))))
    assert (profile.orders, profile.revenue) == (2, 2_500)
    assert set(profile.bought) == {"lamp", "sofa"}
    assert profile.is_fully_loaded
    assert world.ledger() == {"applied": 1}


def test_merging_is_as_if_nothing_had_been_forgotten() -> None:
    before = record(
        event("view_item", items=["a"], at_ms=NOW_MS - 10**10),
        event("add_to_cart", items=["b"], at_ms=NOW_MS - 10**10 + 1),
        event("purchase", items=["b"], transaction_id="1", value=3.0, at_ms=NOW_MS - 10**10 + 2),
    )
    after = record(event("view_item", items=["c"]), event("search", search_term="x"))
    whole = States().apply(before).apply(after).profile

    both = merged(States().apply(before).profile, States().apply(after).profile)

    oldest_ms = NOW_MS - LATENESS_MS
    assert votes.current(both.votes, oldest_ms=oldest_ms) == votes.current(whole.votes, oldest_ms=oldest_ms)
    both.seen, both.votes = whole.seen, whole.votes  # of both, only what is not too late matters
    assert both == whole


async def test_a_read_merges_all_ids_of_a_user(worlds: Worlds) -> None:
    world = worlds("memory")
    await asyncio.to_thread(
        world.fill,
        [
            wire(record(event("view_item", items=["anonymous"], at_ms=NOW_MS))),
            wire(record(event("view_item", items=["known"], at_ms=NOW_MS + 1), user_id="7")),
        ],
    )
    await asyncio.to_thread(world.drain)
    reader = OnlineReader(world.redis_url, partitions=4, timeout_s=2.0, clock=lambda: NOW_MS + 1_000)

    alone = await reader.read_user("shop", user_id="7", anonymous_id=None)
    both = await reader.read_user("shop", user_id="7", anonymous_id=None)
    nobody = await reader.read_user("other", user_id="7", anonymous_id=ANONYMOUS)
    await reader.close()

    assert [recent.item_id for recent in alone.recents] == ["known"]
    assert alone.aliases == (ANONYMOUS,)
    assert [(recent.item_id, recent.kind) for recent in both.recents] == [("known", "view"), ("anonymous", "view")]
    assert both.freshness_ms == 999
    assert alone.state_version != both.state_version
    assert (nobody.is_known, nobody.recents, nobody.state_version) == (False, (), "0")


async def test_reads_fail_fast_and_heal(own_server: Any) -> None:
    from tests.services.redis_server import RedisServer

    server = own_server(RedisServer)
    reader = OnlineReader(server.url, partitions=4, timeout_s=0.05)
    assert not (await reader.read_user("shop", user_id="7", anonymous_id=None)).is_known
    server.freeze()
    times = []
    for _ in range(8):
        started = time.perf_counter()
        with pytest.raises(StoreUnavailable):
            await reader.read_user("shop", user_id="7", anonymous_id=None)
        times.append(time.perf_counter() - started)
    server.thaw()

    assert max(times) < 5  # on a busy machine; a frozen server would hold it for ever
    assert sorted(times)[2] < 0.05, "less than the time-out: the breaker is open"

    async def reads() -> bool:
        try:
            await reader.read_user("shop", user_id="7", anonymous_id=None)
        except StoreUnavailable:
            return False
        return True

    await wait_until_async(reads, "reads to come back", step_s=0.05)
    await reader.close()


async def test_announcements_are_heard_again_after_an_outage_of_redis(own_server: Any) -> None:
    from tests.services.redis_server import RedisServer
    from tracking.redis_client import connect

    server = own_server(RedisServer)
    heard: list[dict[str, list[str]]] = []
    listening = asyncio.create_task(listen_changed(heard.append, url=server.url))

    async def say_until_heard(word: str) -> None:
        client = connect(server.url, timeout_s=1.0)

        async def is_heard() -> bool:
            await asyncio.to_thread(announce_changed, client, {"shop": [word]})
            return {"shop": [word]} in heard

        await wait_until_async(is_heard, f"{word} to be heard", step_s=0.05)

    await say_until_heard("u:1")
    server.kill()
    await asyncio.to_thread(server.start)
    await say_until_heard("u:2")
    listening.cancel()


def test_the_session_that_redis_forgot_is_taken_from_the_profile() -> None:
    states = applied(event("view_item", items=["a"]), event("add_to_cart", items=["b"], at_ms=NOW_MS + 1))

    found = merge([StateBlobs(None, states.profile_blob)], now_ms=NOW_MS + 20 * MINUTE_MS)

    assert [recent.item_id for recent in found.session] == ["b", "a"]
    assert found.cart == {"b": 1}


def test_the_most_active_user_stays_small() -> None:
    states = States()
    for number in range(2_000):
        states.apply(
            record(
                event(
                    "purchase" if number % 5 == 0 else "view_item",
                    items=[f"item-with-a-long-name-{number:06d}"],
                    at_ms=NOW_MS + number * 500,
                    **({"transaction_id": str(number)} if number % 5 == 0 else {}),
                )
            )
        )
    assert states.session_blob is not None
    assert states.profile_blob is not None
    assert len(states.session_blob) <= 4_096
    assert len(states.profile_blob) <= 4_096
    assert states.profile.orders == 400
