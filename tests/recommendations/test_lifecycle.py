"""When a web process may get traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from recommendations import lifecycle
from recommendations.state.placements import watch_placements
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


def test_without_keys_a_process_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    unloaded: Any = Snapshot("nowhere", sites.load_keys, refresh_s=3600)
    monkeypatch.setattr(lifecycle, "key_snapshot", unloaded)
    try:
        assert not lifecycle.is_ready()
    finally:
        unloaded.close()
