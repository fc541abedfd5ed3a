"""When a web process may get traffic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from recommendations import lifecycle
from recommendations.state.placements import watch_placements
from recommendations.state.site import state_of, watch_site
from tests.recommendations.conftest import Shop, _new_shop
from tracking.access import sites
from tracking.snapshots.snapshot import Snapshot

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def _not_ready_yet() -> Iterator[None]:
    lifecycle._been_ready.clear()
    yield
    lifecycle._been_ready.clear()


def test_a_process_is_ready_once_all_its_sites_are_loaded(shop: Shop) -> None:
    sites.keys.reload()
    before = lifecycle.is_ready()
    shop.load()
    watch_placements(shop.site.slug).reload()

    assert [before, lifecycle.is_ready()] == [False, True]


def test_a_new_site_takes_no_process_out_of_service(shop: Shop) -> None:
    shop.load()
    watch_placements(shop.site.slug).reload()
    assert lifecycle.is_ready()

    new = _new_shop(shop.redis_url)
    sites.keys.reload()

    assert not watch_placements(new.site.slug).is_loaded
    assert lifecycle.is_ready()


def test_whoever_has_a_key_of_a_new_site_is_answered_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten sites made after the start, one after the other: none is known before it can be served."""
    monkeypatch.setattr(sites, "_listeners", [lifecycle._load_new])
    made: list[str] = []

    def load_in_background(seconds: float) -> None:  # what the snapshots' threads do meanwhile
        watch_site(made[-1]).refresh()
        watch_placements(made[-1]).refresh()

    monkeypatch.setattr(lifecycle, "wait", load_in_background)
    lifecycle._started.set()
    try:
        for _ in range(10):
            new = _new_shop(shop.redis_url)
            made.append(new.site.slug)
            sites.keys.reload()
            assert state_of(new.site.slug).placements is watch_placements(new.site.slug).current()
    finally:
        lifecycle._started.clear()


def test_keys_wait_no_longer_than_a_moment_for_a_site_that_cannot_be_loaded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "NEW_SITE_S", 0.2)
    stuck: Any = Snapshot("stuck", sites.load_keys, refresh_s=3600)
    monkeypatch.setattr(lifecycle, "watch_site", lambda site: stuck)
    monkeypatch.setattr(Snapshot, "is_loaded", property(lambda self: False))
    lifecycle._started.set()
    try:
        started = time.monotonic()
        lifecycle._load_new(frozenset({"shop"}))
        assert 0.2 <= time.monotonic() - started < 5.0
    finally:
        lifecycle._started.clear()
        stuck.close()


def test_without_keys_a_process_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    unloaded: Any = Snapshot("nowhere", sites.load_keys, refresh_s=3600)
    monkeypatch.setattr(lifecycle, "key_snapshot", unloaded)
    try:
        assert not lifecycle.is_ready()
    finally:
        unloaded.close()
