"""Periodic work beside the stream: merges, segments, write-behind, archive maintenance. Each may run twice at once."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from features import keys
from features.archive.maintenance import compact, drop_old
from features.archive.writer import ArchiveFolder
from features.exceptions import StoreUnavailable
from features.isolation import isolated
from features.models import RfmSnapshot, SegmentThreshold
from features.privacy import retention, sweep
from features.privacy.erasure import erased_check
from features.segments import rfm
from features.segments.rfm import SegmentRule
from features.segments.scoring import SegmentRun, compute_segments
from features.store import connections
from features.store.item_stats import ItemStatsMerger
from features.stream import profiles
from features.stream.sources import forgetting
from tracking.dead_letters import rows as dead_letter_rows
from tracking.log import ForeignPosition, LogUnavailable
from tracking.models import QuarantinedSource, Site
from tracking.redis_client import UNAVAILABLE
from tracking.snapshots.snapshot import announce

logger = logging.getLogger(__name__)

KEEP_EVERY_RUN: Final = timedelta(days=2)
KEEP_HOURLY: Final = timedelta(days=400)
COMPACT_AFTER_S: Final = 600.0
FORGETTING_TRIES: Final = 60

_merger: ItemStatsMerger | None = None
_merging = threading.Lock()


@shared_task(name="features.merge_item_stats")  # type: ignore[untyped-decorator]  # celery ships no types
def merge_item_stats() -> None:
    """Add the item counts of all partitions up, for the web processes; every few seconds."""
    global _merger
    if not _merging.acquire(blocking=False):
        return
    try:
        if _merger is None:
            _merger = ItemStatsMerger(
                connections.client(),
                partitions=connections.partitions(),
                log_name=connections.log_name(),
                lateness_ms=settings.LATENESS_MS,
            )
        for site in _merger.merge():
            announce(f"item-stats:{site}")
    except StoreUnavailable as error:
        logger.warning("tasks.merge_delayed error=%s", error)
    finally:
        _merging.release()


@shared_task(name="features.recompute_segments")  # type: ignore[untyped-decorator]
def recompute_segments() -> None:
    """Score all buyers of every site and keep what was found; every five minutes."""
    for site in Site.objects.filter(is_active=True):
        try:
            with isolated("recompute-segments", site.slug):
                run_segments(site)
        except StoreUnavailable as error:
            logger.warning("tasks.segments_delayed site=%s error=%s", site.slug, error)


@shared_task(name="features.store_profiles")  # type: ignore[untyped-decorator]
def store_profiles() -> None:
    """Write changed profiles behind to the database; every ten minutes."""
    try:
        counts = profiles.store_changed_profiles()
    except StoreUnavailable as error:
        logger.warning("tasks.write_behind_delayed error=%s", error)
        return
    logger.info("tasks.profiles_stored profiles=%s", sum(counts.values()))


@shared_task(name="features.trim_log")  # type: ignore[untyped-decorator]
def trim_log() -> None:
    """Let the log forget what is both in the features and in the archive; every minute."""
    log_of_events = connections.event_log()
    store = connections.store()
    try:
        for partition in range(connections.partitions()):
            applied = store.stored_position(keys.position, partition)
            archived = store.stored_position(keys.archive_position, partition)
            try:
                # Positions cannot be compared, but what is behind them can be counted: the one with more is the older.
                oldest = max((applied, archived), key=lambda at: log_of_events.behind({partition: at})[partition])
                log_of_events.trim({partition: oldest})
            except ForeignPosition as error:
                logger.warning("tasks.trim_waits error=%s", error)
    except (StoreUnavailable, LogUnavailable) as error:
        logger.warning("tasks.trim_delayed error=%s", error)


@shared_task(name="features.keep_archive")  # type: ignore[untyped-decorator]
def keep_archive() -> None:
    """Join small files of the archive, and drop what is older than its retention; every hour."""
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    joined = compact(folder, older_than_s=COMPACT_AFTER_S)
    dropped = drop_old(folder, today=timezone.now().date(), keep_days=settings.ARCHIVE_RETENTION_DAYS)
    logger.info("tasks.archive_kept files_joined=%s files_dropped=%s", joined, dropped)


def run_segments(site: Site) -> SegmentRun:
    """Score the buyers of one site, write their segments, and keep a snapshot for the admin."""
    run = compute_segments(
        connections.client(),
        site.slug,
        partitions=connections.partitions(),
        rules=segment_rules(site),
        ttl_s=settings.PROFILE_TTL_S,
    )
    if run.users:
        RfmSnapshot.objects.create(
            site=site,
            users=run.users,
            is_exact=run.is_exact,
            seconds=run.seconds,
            cells=run.cells,
            sizes=run.sizes,
            bounds={
                "last_purchase_ms": run.bounds.last_purchase_ms,
                "orders": run.bounds.orders,
                "monetary": run.bounds.monetary,
            },
        )
    thin_snapshots(site)
    logger.info(
        "tasks.segments site=%s users=%s written=%s seconds=%.2f", site.slug, run.users, run.written, run.seconds
    )
    return run


def segment_rules(site: Site) -> list[SegmentRule]:
    """Return a site's segments in order; the usual ones are stored when it has none, to be edited in the admin."""
    rows = SegmentThreshold.objects.filter(site=site).order_by("order", "name")
    if not rows:
        SegmentThreshold.objects.bulk_create(
            [
                SegmentThreshold(
                    site=site,
                    name=rule.name,
                    order=10 * (number + 1),
                    recency_from=rule.recency[0],
                    recency_to=rule.recency[1],
                    frequency_from=rule.frequency[0],
                    frequency_to=rule.frequency[1],
                    monetary_from=rule.monetary[0],
                    monetary_to=rule.monetary[1],
                )
                for number, rule in enumerate(rfm.DEFAULT_RULES)
            ],
            ignore_conflicts=True,
        )
        return list(rfm.DEFAULT_RULES)
    return [
        SegmentRule(
            name=row.name,
            recency=(row.recency_from, row.recency_to),
            frequency=(row.frequency_from, row.frequency_to),
            monetary=(row.monetary_from, row.monetary_to),
        )
        for row in rows
    ]


def thin_snapshots(site: Site) -> None:
    """Keep every run for two days, one an hour for 400 days."""
    now = timezone.now()
    RfmSnapshot.objects.filter(site=site, made_at__lt=now - KEEP_HOURLY).delete()
    old = RfmSnapshot.objects.filter(site=site, made_at__lt=now - KEEP_EVERY_RUN, made_at__gte=now - 2 * KEEP_EVERY_RUN)
    kept: set[str] = set()
    surplus: list[int] = []
    for pk, made_at in old.order_by("made_at").values_list("pk", "made_at"):
        hour = f"{made_at:%Y%m%d%H}"
        if hour in kept:
            surplus.append(pk)
        kept.add(hour)
    RfmSnapshot.objects.filter(pk__in=surplus).delete()


@shared_task(name="features.import_dead_letters")  # type: ignore[untyped-decorator]
def import_dead_letters() -> None:
    """Bring new dead letters into the database, but none of erased users; every ten seconds."""
    try:
        added = dead_letter_rows.import_dead_letters(is_erased=erased_check())
    except (LogUnavailable, *UNAVAILABLE) as error:
        logger.warning("tasks.dead_letters_delayed error=%s", error)
        return
    if added:
        logger.info("tasks.dead_letters_imported letters=%s", added)


@shared_task(name="features.sweep_erased")  # type: ignore[untyped-decorator]  # celery ships no types
def sweep_erased() -> None:
    """Erase again what came back of erased users, and forget profiles of those who never came back; once a day."""
    now_ms = time.time_ns() // 1_000_000
    forgotten = retention.forget_old_profiles(now_ms=now_ms, keep_days=settings.PROFILE_RETENTION_DAYS)
    if forgotten:
        logger.info("tasks.profiles_forgotten profiles=%s", forgotten)
    try:
        swept = sweep.sweep_erased()
    except OSError as error:
        logger.warning("tasks.sweep_delayed error=%s", error)
    else:
        if swept.profiles or swept.rows or swept.in_database or swept.beside_archive:
            logger.warning("tasks.erased_again profiles=%s rows=%s", swept.profiles, swept.rows)


@shared_task(name="features.forget_source")  # type: ignore[untyped-decorator]  # celery ships no types
def forget_source(pk: int, tries: int = 0) -> None:
    """Take back what a quarantined source counted; again every minute for an hour while some of it is under way."""
    row = QuarantinedSource.objects.select_related("site").filter(pk=pk).first()
    if row is None:
        return
    try:
        left = forgetting.forget(row).unsettled
    except (StoreUnavailable, LogUnavailable, ForeignPosition, OSError) as error:
        logger.warning("tasks.forgetting_delayed source=%s error=%s", pk, error)
        left = 1
    if left and tries < FORGETTING_TRIES:
        forget_source.apply_async((pk, tries + 1), countdown=60, retry=False)
