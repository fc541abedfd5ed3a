"""A site with its keys in memory, a collector on the log in memory, and events to send."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from tracking.access import sites
from tracking.access.sites import KeyInfo, Keys, SiteInfo, digest_of
from tracking.collect.durable import DurableWriter
from tracking.collect.endpoint import Collector
from tracking.collect.live_events import LiveEvents
from tracking.collect.spool import Spool
from tracking.contract.events import EventRecord
from tracking.contract.parsing import parse_record
from tracking.http import quotas
from tracking.http.edge import HotPath
from tracking.http.quotas import Quotas
from tracking.log.memory import MemoryLog

PUBLISHABLE, SECRET, OTHER = "pk_" + "p" * 24, "sk_" + "s" * 24, "pk_" + "o" * 24
SHOP = "https://www.shop.example"
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the clock of the quotas still: they start over with each minute, and a test must not see that."""
    monkeypatch.setattr(quotas, "time", SimpleNamespace(time=lambda: 1_800_000_030.0))


def a_site(**changes: Any) -> SiteInfo:
    values: dict[str, Any] = {
        "id": 1, "slug": "shop", "name": "Shop", "currency": "EUR", "locale": "en", "origins": frozenset({SHOP}),
        "origin_suffixes": (), "events_per_minute": 0, "requests_per_minute": 0, "address_requests_per_minute": 0,
        "honours_gpc": True, "token_secret": "t" * 48,
    }  # fmt: skip
    return SiteInfo(**{**values, **changes})


def an_event(name: str = "view_item", **changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = {"event": name, "event_id": uuid.uuid4().hex, "ts": 1_700_000_000_000}
    if name != "page_view":
        event["params"] = {"items": [{"item_id": "SKU1"}]}
    return {**event, **changes}


@pytest.fixture
def install_keys(monkeypatch) -> Callable[..., SiteInfo]:
    """Put a site with the keys ``PUBLISHABLE`` and ``SECRET`` into memory, and another site with ``OTHER``."""

    def install(**changes: Any) -> SiteInfo:
        site, other = a_site(**changes), a_site(id=2, slug="other", token_secret="o" * 48)
        owners = {PUBLISHABLE: site, SECRET: site, OTHER: other}
        live = {
            digest_of(value): KeyInfo(id=number, kind=value[:2], prefix=value[:9], site=owner, expires_at=None)
            for number, (value, owner) in enumerate(owners.items(), start=1)
        }
        monkeypatch.setattr(sites.keys, "_value", Keys(by_digest=live, by_slug={"shop": site, "other": other}))
        return site

    return install


@pytest.fixture
def memory_log() -> MemoryLog:
    return MemoryLog(name=f"test-{next(_numbers)}", partitions=4)


@pytest.fixture
def spool(tmp_path) -> Spool:
    return Spool(tmp_path / "spool", max_bytes=1_000_000)


@pytest_asyncio.fixture
async def durable(memory_log: MemoryLog, spool: Spool) -> AsyncIterator[DurableWriter]:
    writer = DurableWriter(memory_log.writer(), spool, wait_s=0.05)
    await writer.start()
    yield writer
    await writer.close(timeout_s=0.5)


@pytest_asyncio.fixture
async def endpoint(install_keys, durable: DurableWriter) -> HotPath:
    """The endpoint as it stands in production, with the twin of the log in memory."""
    install_keys()
    return HotPath(Collector(durable, quotas=Quotas(), live=LiveEvents()).collect, name="collect-test")


def records_in(log: MemoryLog) -> list[EventRecord]:
    """Return what the log holds, read as the stream worker reads it."""
    return [parse_record(record.value) for partition in range(log.partitions) for record in log.read_range(partition)]
