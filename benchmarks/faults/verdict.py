"""Whether every acknowledged event counts, and counts once: in each shopper's features, and in the archive."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

from benchmarks.faults.lab import PARTITIONS, Shop
from benchmarks.faults.traffic import Ledger

SITE: Final = "default"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Events that do not count, and how often events count that were not sent."""

    lost: int
    doubled: int

    @property
    def is_exact(self) -> bool:
        """Whether features say what was sent."""
        return not self.lost and not self.doubled

    def beyond(self, before: Verdict) -> Verdict:
        """Return what came on top of what was lost and doubled before."""
        return Verdict(max(0, self.lost - before.lost), max(0, self.doubled - before.doubled))


def features_of(shop: Shop) -> tuple[Counter[str], Counter[str]]:
    """Return views and orders by anonymous id, as the profiles in Redis say."""
    from features import keys
    from features.state.states import decode_profile
    from features.store.scan import scan_states
    from tracking.redis_client import connect

    client = connect(shop.states.url, timeout_s=5.0)
    views: Counter[str] = Counter()
    orders: Counter[str] = Counter()
    try:
        for stored in scan_states(client, partitions=PARTITIONS, view=keys.PROFILE, site=SITE):
            profile = decode_profile(stored.blob)
            anonymous_id = stored.user_key.removeprefix("a:")
            views[anonymous_id], orders[anonymous_id] = profile.views, profile.orders
    finally:
        client.close()
    return views, orders


def compare(ledger: Ledger, views: Mapping[str, int], orders: Mapping[str, int]) -> Verdict:
    """Return what is missing and what is too much, shopper by shopper, so that one never makes up for another."""
    lost = doubled = 0
    for sent, found in ((ledger.views, views), (ledger.orders, orders)):
        for who in sent:
            difference = found.get(who, 0) - sent[who]
            lost += max(0, -difference)
            doubled += max(0, difference)
    return Verdict(lost, doubled)


NOTHING: Final = Verdict(0, 0)


async def settled_verdict(shop: Shop, ledger: Ledger, *, within_s: float, before: Verdict = NOTHING) -> Verdict:
    """Return the verdict once nothing is lost or doubled beyond ``before``, else what it is after ``within_s``."""
    from features.exceptions import StoreUnavailable

    give_up_at = time.monotonic() + within_s
    verdict = Verdict(sum(ledger.views.values()) + sum(ledger.orders.values()), 0)
    while True:
        try:
            verdict = compare(ledger, *await asyncio.to_thread(features_of, shop))
        except StoreUnavailable:
            if time.monotonic() > give_up_at:
                raise
        if verdict.beyond(before).is_exact or time.monotonic() > give_up_at:
            return verdict
        await asyncio.sleep(0.2)


def archived_ids(shop: Shop) -> Counter[str]:
    """Return how many rows the archive gives of each event id, re-sent records left out as its readers do."""
    from features.archive.maintenance import iter_days
    from features.archive.writer import ArchiveFolder

    folder = ArchiveFolder(str(shop.archive))
    found: Counter[str] = Counter()
    for _, table in iter_days(folder, site=SITE):
        found.update(table.column("event_id").to_pylist())
    return found


async def archive_verdict(shop: Shop, ledger: Ledger, *, within_s: float) -> Verdict:
    """Return what of the ledger the archive lacks, or holds twice; it writes a file about every ten seconds."""
    give_up_at = time.monotonic() + within_s
    while True:
        found = await asyncio.to_thread(archived_ids, shop)
        verdict = Verdict(
            sum(name not in found for name in ledger.ids), sum(max(0, found[name] - 1) for name in ledger.ids)
        )
        if verdict.is_exact or time.monotonic() > give_up_at:
            return verdict
        await asyncio.sleep(0.5)
