"""A source is quarantined once, forgotten with the stores of the installation, and its row says what became of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from features import keys, tasks
from features.archive.writer import ArchiveFolder
from features.store import connections
from features.stream.sources.forgetting import forget, quarantine
from tests.features.making import event, record, wire
from tests.features.privacy.lives import archive
from tracking.access.sites import load_keys
from tracking.contract.events import EventRecord
from tracking.contract.user_key import key_of_anonymous
from tracking.log import BEGINNING
from tracking.models import QuarantinedSource, Site

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def viewed() -> EventRecord:
    one = record(event("view_item", at_ms=int(time.time() * 1_000), items=["a"]), anonymous_id="x" * 32)
    return replace(one, network=9)


@pytest.fixture
def shop(settings: Any, tmp_path: Path, state_urls: Any) -> Site:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    settings.REDIS_URL = state_urls()
    settings.EVENT_LOG_URL = f"{settings.REDIS_URL}?partitions=4"
    archive(ArchiveFolder(settings.ARCHIVE_URL), [viewed()])
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


def test_quarantine_is_known_to_hot_paths_and_safe_to_repeat(shop: Site) -> None:
    assert quarantine(shop, network=9).pk == quarantine(shop, network=9).pk
    quarantine(shop, user_key="a:b")
    assert load_keys().by_slug["shop"].quarantined == {9, "a:b"}
    for wrong in ({}, {"network": 1, "user_key": "a:b"}):
        with pytest.raises(ValueError, match="either"):
            quarantine(shop, **wrong)  # type: ignore[arg-type]


def test_what_is_not_applied_yet_is_tried_again(shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[Any] = []
    monkeypatch.setattr(tasks.forget_source, "apply_async", lambda args, **options: again.append(args))
    events, store = connections.event_log(), connections.store()
    events.ensure_topic(timeout_s=10)

    async def append() -> None:
        writer = events.writer()
        await writer.start()
        await writer.append_many([wire(viewed())], timeout_s=10)
        await writer.close()

    asyncio.run(append())
    partition = keys.partition_of("shop", key_of_anonymous("x" * 32), 4)
    [read] = events.read_all(partition)
    store.advance(keys.archive_position, partition, expected=BEGINNING, position=read.position)
    row = quarantine(shop, network=9)

    tasks.forget_source(row.pk)  # the archive has an event that no worker has applied

    row.refresh_from_db()
    assert (row.receipt["unsettled"], row.forgotten_at, again) == (1, None, [(row.pk, 1)])
    assert row.tried_at is not None
    tasks.forget_source(row.pk, tasks.FORGETTING_TRIES)
    assert len(again) == 1
    row.delete()
    tasks.forget_source(row.pk or 1)


def test_a_source_of_which_nothing_is_kept_is_forgotten_at_once(shop: Site) -> None:
    row = quarantine(shop, network=10)
    assert forget(row).unsettled == 0
    assert QuarantinedSource.objects.get().forgotten_at is not None
