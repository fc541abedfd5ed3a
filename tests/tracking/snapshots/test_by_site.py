"""The snapshots of all sites: made by the first reader, one a site, gone with their site."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.services.waiting import wait_until
from tracking.access import sites
from tracking.models import Site
from tracking.snapshots import by_site
from tracking.snapshots.by_site import SiteSnapshots, drop_all_but, site_topic
from tracking.snapshots.snapshot import SnapshotMissing, announce_now, start_snapshots, stop_snapshots

NOWHERE = "redis://127.0.0.1:1/0"


class Loads:
    """Counts, for each site, the loaders that were made and the loads that they did."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.loaded: list[str] = []

    def __call__(self, site: str) -> Callable[[], str]:
        self.made.append(site)

        def load() -> str:
            self.loaded.append(site)
            return f"data of {site}"

        return load


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def registry(loads: Loads) -> Iterator[SiteSnapshots[str]]:
    made = SiteSnapshots("sizes", loads, refresh_s=60.0)
    yield made
    stop_snapshots()
    made.close_all()


def test_nothing_is_made_before_somebody_asks(registry: SiteSnapshots[str], loads: Loads) -> None:
    assert (registry.sites(), loads.made) == (frozenset(), [])


def test_a_site_gets_one_snapshot_that_its_first_reader_makes(registry: SiteSnapshots[str], loads: Loads) -> None:
    first, again, other = registry.of("shop"), registry.of("shop"), registry.of("other")

    assert first is again
    assert first is not other
    assert loads.made == ["shop", "other"]
    assert loads.loaded == []  # asking for it loads nothing
    with pytest.raises(SnapshotMissing, match="sizes:shop"):
        first.current()


def test_many_threads_that_ask_at_once_get_the_same_snapshot(loads: Loads) -> None:
    at_once = threading.Barrier(8)

    def slow_to_make(site: str) -> Callable[[], str]:
        time.sleep(0.01)  # sleep: a loader that reads a file first; a second maker would be counted
        return loads(site)

    registry = SiteSnapshots("sizes", slow_to_make, refresh_s=60.0)

    def ask(_: int) -> object:
        at_once.wait()
        return registry.of("shop")

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    registry.close_all()

    assert len(found) == 1
    assert loads.made == ["shop"]


def test_a_site_is_loaded_again_when_its_own_topic_is_announced(registry: SiteSnapshots[str], loads: Loads) -> None:
    registry.of("shop")
    registry.of("other")
    start_snapshots(NOWHERE)
    wait_until(lambda: sorted(loads.loaded) == ["other", "shop"])
    announce_now(registry.topic_of("shop"), url=NOWHERE)

    wait_until(lambda: loads.loaded.count("shop") == 2)

    assert loads.loaded.count("other") == 1
    assert registry.topic_of("shop") == site_topic("sizes", "shop") == "sizes:shop"


@pytest.mark.slow
def test_the_snapshot_of_a_deleted_site_is_closed_and_forgotten(registry: SiteSnapshots[str], loads: Loads) -> None:
    kept, closed = registry.of("shop"), registry.of("deleted")
    closed_value = weakref.ref(closed)
    registry.drop_all_but({"shop"}, made_before=time.monotonic() + 1)
    start_snapshots(NOWHERE)
    wait_until(lambda: kept.is_loaded)
    is_refreshed = closed.is_loaded
    del closed
    gc.collect()

    assert registry.sites() == {"shop"}
    assert not is_refreshed
    assert closed_value() is None  # and with it what it held in memory
    assert loads.loaded == ["shop"]


def test_a_site_made_again_under_the_same_name_starts_empty(registry: SiteSnapshots[str], loads: Loads) -> None:
    old = registry.of("shop")
    registry.drop_all_but((), made_before=time.monotonic() + 1)

    assert registry.of("shop") is not old
    assert loads.made == ["shop", "shop"]


def test_a_site_that_was_made_while_the_list_of_sites_was_read_stays(registry: SiteSnapshots[str]) -> None:
    read_at = time.monotonic()
    registry.of("new")

    assert registry.drop_all_but(frozenset(), made_before=read_at) == frozenset()
    assert registry.sites() == {"new"}


def test_one_call_drops_a_site_from_every_registry(registry: SiteSnapshots[str], loads: Loads) -> None:
    other = SiteSnapshots("colours", loads, refresh_s=60.0)
    registry.of("deleted-site-of-two")
    other.of("deleted-site-of-two")
    existing = registry.sites() - {"deleted-site-of-two"}

    assert "deleted-site-of-two" in drop_all_but(existing, made_before=time.monotonic() + 1)
    assert not registry.sites() | other.sites()


def test_closing_all_reaches_every_registry(registry: SiteSnapshots[str], loads: Loads) -> None:
    other = SiteSnapshots("colours", loads, refresh_s=60.0)
    registry.of("shop")
    other.of("shop")
    by_site.close_all()

    assert not registry.sites() | other.sites()


def test_a_child_that_was_forked_while_a_thread_held_the_lock_can_ask(registry: SiteSnapshots[str]) -> None:
    is_held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with registry._lock:
            is_held.set()
            release.wait(60)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    is_held.wait()
    child = os.fork()
    if child == 0:  # no pytest machinery in here
        try:
            registry.of("shop")
            os._exit(0)
        except BaseException:
            os._exit(2)
    release.set()
    holder.join()
    wait_until(lambda: os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT), "the child to end")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.django_db
def test_deleting_a_site_drops_its_snapshots_at_the_next_load_of_the_keys(registry: SiteSnapshots[str]) -> None:
    kept = Site.objects.create(slug="kept", name="Kept")
    paused = Site.objects.create(slug="paused", name="Paused", is_active=False)
    deleted = Site.objects.create(slug="deleted", name="Deleted")
    for site in (kept, paused, deleted):
        registry.of(site.slug)
    old = sites.keys._value
    try:
        sites.keys.reload()
        before = registry.sites()
        deleted.delete()
        sites.keys.reload()
    finally:
        sites.keys._value = old

    assert before == {"kept", "paused", "deleted"}
    assert registry.sites() == {"kept", "paused"}  # a site that is paused may be looked at in the admin
