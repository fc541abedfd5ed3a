"""When a web process may get traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from recommendations import service
from recommendations.placements import watch_placements
from tests.recommendations.conftest import Shop, _new_shop
from tracking import sites
from tracking.snapshots import Snapshot

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def _not_ready_yet() -> Iterator[None]:
    service._been_ready.clear()
    yield
    service._been_ready.clear()


def test_a_process_is_ready_once_all_its_sites_are_loaded(shop: Shop) -> None:
    sites.keys.reload()
    before = service.is_ready()
    shop.load()
    watch_placements(shop.site.slug).reload()

    assert [before, service.is_ready()] == [False, True]


def test_a_new_site_takes_no_process_out_of_service(shop: Shop) -> None:
    shop.load()
    watch_placements(shop.site.slug).reload()
    assert service.is_ready()

    new = _new_shop(shop.redis_url)
    sites.keys.reload()

    assert not watch_placements(new.site.slug).is_loaded
    assert service.is_ready()


def test_without_keys_a_process_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    unloaded: Any = Snapshot("nowhere", sites.load_keys, refresh_s=3600)
    monkeypatch.setattr(service, "key_snapshot", unloaded)
    try:
        assert not service.is_ready()
    finally:
        unloaded.close()
