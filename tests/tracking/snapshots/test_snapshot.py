"""Snapshots: loaded in the background, kept when loading fails, reloaded when announced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.services.redis_server import RedisServer
from tracking.snapshots import snapshot as snapshots
from tracking.snapshots.snapshot import Snapshot, SnapshotMissing

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    snapshots.stop()
    yield
    snapshots.stop()


@pytest.fixture
def make() -> Iterator[Callable[..., Snapshot[int]]]:
    made: list[Snapshot[int]] = []

    def build(load: Callable[[], int], *, topic: str = "things", refresh_s: float = 60.0, lane: str = "quick"):
        snapshot: Snapshot[int] = Snapshot(topic, load, refresh_s=refresh_s, lane=lane)
        made.append(snapshot)
        return snapshot

    yield build
    for snapshot in made:
        snapshot.close()


def wait_until(fact: Callable[[], bool], *, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


class Counter:
    """Loads 1, 2, 3 …; raises while ``is_broken``."""

    def __init__(self) -> None:
        self.loads = 0
        self.is_broken = False

    def __call__(self) -> int:
        if self.is_broken:
            raise OSError("the database is away")
        self.loads += 1
        return self.loads


def test_reading_before_the_first_load_says_so(make) -> None:
    snapshot = make(Counter())
    with pytest.raises(SnapshotMissing, match="things"):
        snapshot.current()


def test_ensure_loaded_loads_once(make) -> None:
    snapshot = make(Counter())
    assert (snapshot.ensure_loaded(), snapshot.ensure_loaded(), snapshot.current()) == (1, 1, 1)


def test_it_loads_at_start_and_every_refresh_without_redis(make) -> None:
    load = Counter()
    snapshot = make(load, refresh_s=0.05)
    snapshots.start(NOWHERE)
    wait_until(lambda: load.loads >= 3)
    assert snapshot.current() >= 2
    assert snapshot.age_s is not None
    assert snapshot.age_s < 1


def test_a_snapshot_made_later_is_loaded_too(make) -> None:
    snapshots.start(NOWHERE)
    snapshot = make(Counter(), lane="another")
    wait_until(lambda: snapshot.is_loaded)


def test_the_last_good_copy_outlives_a_failing_load_and_heals(make, caplog) -> None:
    load = Counter()
    snapshot = make(load, refresh_s=0.02)
    snapshots.start(NOWHERE)
    wait_until(lambda: load.loads >= 1)
    load.is_broken = True
    kept = load.loads
    time.sleep(0.15)
    assert snapshot.current() == kept
    assert sum("snapshot.load_failed topic=things" in line for line in caplog.text.splitlines()) == 1
    load.is_broken = False
    wait_until(lambda: snapshot.current() > kept)


def test_a_slow_lane_does_not_hold_up_another(make) -> None:
    release = threading.Event()

    def slow() -> int:
        release.wait(5)
        return 0

    slow_one = make(slow, lane="slow")
    quick = Counter()
    make(quick, refresh_s=0.02)
    snapshots.start(NOWHERE)
    wait_until(lambda: quick.loads >= 3)
    assert not slow_one.is_loaded
    release.set()
    wait_until(lambda: slow_one.is_loaded)


def test_one_failing_callback_does_not_silence_the_others() -> None:
    heard: list[str] = []

    def broken(topic: str) -> None:
        raise ValueError(topic)

    ends = [snapshots.on_announce("catalogue:", broken), snapshots.on_announce("catalogue:", heard.append)]
    snapshots.announce_now("catalogue:shop", url=NOWHERE)
    snapshots.announce_now("keys", url=NOWHERE)
    for end in ends:
        end()
    snapshots.announce_now("catalogue:shop", url=NOWHERE)
    assert heard == ["catalogue:shop"]


def test_announcing_without_redis_never_raises_and_is_heard_at_home(make) -> None:
    load = Counter()
    make(load)
    snapshots.start(NOWHERE)
    wait_until(lambda: load.loads == 1)
    started = time.monotonic()
    assert snapshots.announce_now("things", url=NOWHERE) is False
    assert time.monotonic() - started < 1
    wait_until(lambda: load.loads == 2)


@pytest.mark.redis
def test_an_announcement_reloads_its_topic_and_no_other(make, redis_url: str) -> None:
    mine, other = Counter(), Counter()
    make(mine, topic="mine")
    make(other, topic="other")
    snapshots.start(redis_url)
    wait_until(lambda: other.loads >= 1 and mine.loads >= 1)
    wait_until(lambda: snapshots.announce_now("ready?", url=redis_url))
    time.sleep(0.2)  # the reload after subscribing
    before = (mine.loads, other.loads)
    assert snapshots.announce_now("mine", url=redis_url)
    wait_until(lambda: mine.loads == before[0] + 1, timeout_s=1)
    assert other.loads == before[1]


@pytest.mark.redis
def test_listening_heals_when_redis_comes_back(make, own_server) -> None:
    server = own_server(RedisServer)
    load = Counter()
    make(load)
    snapshots.start(server.url)
    wait_until(lambda: snapshots.announce_now("things", url=server.url) and load.loads >= 2)  # it listens
    server.kill()
    time.sleep(0.3)
    before = load.loads
    server.start()
    wait_until(lambda: load.loads > before)  # taken as announced: something may have been missed
    after = load.loads
    assert snapshots.announce_now("things", url=server.url)
    wait_until(lambda: load.loads > after, timeout_s=2)


@pytest.mark.redis
def test_the_first_announcement_after_a_restart_of_redis_arrives(own_server) -> None:
    server = own_server(RedisServer)
    assert snapshots.announce_now("things", url=server.url)
    server.kill()
    server.start()
    assert snapshots.announce_now("things", url=server.url)


def test_a_forked_child_refreshes_by_itself(make) -> None:
    load = Counter()
    snapshot = make(load, refresh_s=0.02)
    snapshots.start(NOWHERE)
    wait_until(lambda: load.loads >= 1)
    child = os.fork()
    if child == 0:  # no pytest machinery in here
        try:
            seen = snapshot.current()
            deadline = time.monotonic() + 5
            while snapshot.current() < seen + 3 and time.monotonic() < deadline:
                time.sleep(0.01)
            os._exit(0 if snapshot.current() >= seen + 3 else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.django_db(transaction=True)
def test_an_announcement_waits_for_the_commit() -> None:
    from django.db import transaction

    heard: list[str] = []
    end = snapshots.on_announce("things", heard.append)
    with transaction.atomic():
        snapshots.announce("things")
        assert heard == []
    assert heard == ["things"]
    end()


def test_a_period_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="refresh_s=0"):
        Snapshot("things", int, refresh_s=0)
