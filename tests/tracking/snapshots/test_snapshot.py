"""Snapshots: loaded in the background, kept when loading fails, reloaded when announced."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking.metrics import SNAPSHOT_FAILURES, SNAPSHOT_LOADED_AT
from tracking.snapshots import snapshot as snapshots
from tracking.snapshots.snapshot import (
    Snapshot,
    SnapshotMissing,
    announce,
    announce_now,
    start_snapshots,
    stop_snapshots,
)

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    stop_snapshots()
    yield
    stop_snapshots()


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


class Counter:
    """Loads 1, 2, 3 …; raises while ``is_broken``."""

    def __init__(self) -> None:
        self.loads = 0
        self.is_broken = False

    def __call__(self) -> int:
        if self.is_broken:
            raise OSError("the database is down")
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
    start_snapshots(NOWHERE)
    wait_until(lambda: load.loads >= 3)
    assert snapshot.current() >= 2
    assert snapshot.age_s is not None
    assert snapshot.age_s < 30


def test_a_snapshot_made_later_is_loaded_too(make) -> None:
    start_snapshots(NOWHERE)
    snapshot = make(Counter(), lane="another")
    wait_until(lambda: snapshot.is_loaded)


def test_the_last_good_copy_outlives_a_failing_load_and_heals(make, caplog) -> None:
    load = Counter()
    snapshot = make(load, refresh_s=0.02)
    start_snapshots(NOWHERE)
    wait_until(lambda: load.loads >= 1)
    load.is_broken = True
    kept = load.loads
    failures = SNAPSHOT_FAILURES.labels("things")._value
    so_far = failures.get()
    wait_until(lambda: failures.get() >= so_far + 3)
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
    start_snapshots(NOWHERE)
    wait_until(lambda: quick.loads >= 3)
    assert not slow_one.is_loaded
    release.set()
    wait_until(lambda: slow_one.is_loaded)


def test_announcing_without_redis_never_raises_and_is_heard_at_home(make) -> None:
    load = Counter()
    make(load)
    start_snapshots(NOWHERE)
    wait_until(lambda: load.loads == 1)
    started = time.monotonic()
    assert announce_now("things", url=NOWHERE) is False
    assert time.monotonic() - started < 10
    wait_until(lambda: load.loads == 2)


@pytest.mark.redis
def test_an_announcement_reloads_its_topic_and_no_other(make, redis_url: str) -> None:
    mine, other, probe = Counter(), Counter(), Counter()
    make(mine, topic="mine")
    make(other, topic="other")
    make(probe, topic="probe")  # the last of the lane: once it is loaded, the others were
    start_snapshots(redis_url)
    # Once at the start and once after subscribing: the third load is of an announcement that was heard.
    wait_until(lambda: announce_now("probe", url=redis_url) and probe.loads >= 3)
    before = (mine.loads, other.loads)
    assert announce_now("mine", url=redis_url)
    wait_until(lambda: mine.loads == before[0] + 1)
    assert other.loads == before[1]


@pytest.mark.redis
def test_listening_heals_when_redis_comes_back(make, own_server) -> None:
    server = own_server(RedisServer)
    load = Counter()
    make(load)
    start_snapshots(server.url)
    wait_until(lambda: announce_now("things", url=server.url) and load.loads >= 2)  # it listens
    server.kill()
    before = load.loads
    server.start()
    wait_until(lambda: load.loads > before)  # taken as announced: something may have been missed
    after = load.loads
    assert announce_now("things", url=server.url)
    wait_until(lambda: load.loads > after)


@pytest.mark.redis
def test_the_first_announcement_after_a_restart_of_redis_arrives(own_server) -> None:
    server = own_server(RedisServer)
    assert announce_now("things", url=server.url)
    server.kill()
    server.start()
    assert announce_now("things", url=server.url)


def test_a_forked_child_refreshes_by_itself(make) -> None:
    load = Counter()
    snapshot = make(load, refresh_s=0.02)
    start_snapshots(NOWHERE)
    wait_until(lambda: load.loads >= 1)
    child = os.fork()
    if child == 0:  # no pytest machinery in here
        try:
            seen = snapshot.current()
            wait_until(lambda: snapshot.current() >= seen + 3)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.django_db(transaction=True)
def test_an_announcement_waits_for_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    heard: list[str] = []
    monkeypatch.setattr(snapshots, "announce_now", heard.append)
    with transaction.atomic():
        announce("things")
        before = list(heard)

    assert [before, heard] == [[], ["things"]]


def test_a_closed_snapshot_no_longer_raises_the_alarm_of_stale_data(make) -> None:
    first, second = make(Counter(), topic="gone"), make(Counter(), topic="gone")
    first.reload()
    first.close()
    still_watched = SNAPSHOT_LOADED_AT.labels("gone")._value.get()
    second.close()

    assert math.isfinite(still_watched)
    assert ("gone",) not in SNAPSHOT_LOADED_AT._metrics


def test_a_load_that_ends_after_the_close_does_not_bring_the_age_back(make) -> None:
    closing: list[Snapshot[int]] = []

    def load() -> int:
        closing[0].close()
        return 7

    closing.append(make(load, topic="late"))

    assert closing[0].reload() == 7
    assert ("late",) not in SNAPSHOT_LOADED_AT._metrics


def test_files_of_several_processes_keep_a_label_without_an_age(make, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = make(Counter(), topic="shared")
    snapshot.reload()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    snapshot.close()

    assert SNAPSHOT_LOADED_AT.labels("shared")._value.get() == math.inf


def test_a_period_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="refresh_s=0"):
        Snapshot("things", int, refresh_s=0)
