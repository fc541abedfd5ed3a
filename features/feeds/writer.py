"""Rows into the catalogue, a batch at a time: new items are made, changed ones written, unchanged ones left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from features.catalogue.site import announce_catalogue
from features.feed_files.report import FeedBroken, FeedReport, RawRow
from features.feeds.values import BadValue, item_changes
from features.models import Item
from tracking.models import Site

BATCH: Final = 500
MOST_DEACTIVATED: Final = 0.5
"""A complete feed that would deactivate more than this share of the catalogue is more likely cut short."""


def upsert_items(site: Site, rows: Iterable[Mapping[str, Any]], *, only_new: bool = False) -> FeedReport:
    """Create or change items from rows that name at least ``item_id``; rows are numbered from 1 in the report.

    Partial: a row changes only the fields it names. Bad rows are named in the report, the others are written.
    Written in batches of ``BATCH``, each in a transaction of its own and announced once. With ``only_new``, items that
    are there already stay as they are.
    """
    return load_rows(site, (RawRow(number, dict(row)) for number, row in enumerate(rows, 1)), only_new=only_new)


def load_rows(
    site: Site,
    rows: Iterable[RawRow],
    *,
    report: FeedReport | None = None,
    complete: bool = False,
    only_new: bool = False,
) -> FeedReport:
    """Create or change items from what a reader yields.

    Parameters
    ----------
    site : Site
    rows : iterable of RawRow
        Read as they are needed; at most ``BATCH`` are in memory.
    report : FeedReport, optional
        The report that the reader adds its own refusals to.
    complete : bool
        The feed is the whole catalogue: active items that it does not name are deactivated at the end, unless that
        were more than ``MOST_DEACTIVATED`` of them, or a row was refused.
    only_new : bool
        Items that are there already stay as they are.
    """
    report = FeedReport() if report is None else report
    ignored: set[str] = set()
    seen: set[str] = set()
    try:
        for batch in _batches(rows):
            changes: dict[str, tuple[int, dict[str, Any]]] = {}
            for line, values in batch:
                try:
                    change = item_changes(values, currency=site.currency, ignored=ignored)
                except BadValue as error:
                    item_id = str(values.get("item_id") or values.get("id") or "")[:128]
                    report.refuse(line, field=error.field, value=error.value, reason=error.reason, item_id=item_id)
                    continue
                _, earlier = changes.pop(change["item_id"], (line, {}))  # the same item twice: the later row wins
                changes[change["item_id"]] = (line, {**earlier, **change})
            if complete:
                seen.update(changes)
            _write(site, changes, report, only_new=only_new)
    finally:
        report.ignored_fields = sorted(ignored)
    if complete:
        _deactivate_missing(site, seen, report)
    return report


def _batches(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Yield full batches; when the rows break off with an error, what came before is yielded first."""
    batch: list[RawRow] = []
    try:
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except FeedBroken:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _write(
    site: Site, changes: Mapping[str, tuple[int, dict[str, Any]]], report: FeedReport, *, only_new: bool
) -> None:
    """Write one batch in one transaction: the items are locked while they are compared."""
    if not changes:
        return
    with transaction.atomic():
        stored = Item.objects.select_for_update().filter(site=site, item_id__in=changes)
        existing = {item.item_id: item for item in stored}
        created: list[Item] = []
        updated: list[Item] = []
        changed_fields: set[str] = set()
        for item_id, (line, change) in changes.items():
            item = existing.get(item_id)
            if item is None:
                if not change.get("title"):
                    reason = "is missing; a new item needs a title"
                    report.refuse(line, field="title", value="", reason=reason, item_id=item_id)
                else:
                    created.append(Item(site=site, **change))
            elif not only_new and (fields := _apply(item, change)):
                updated.append(item)
                changed_fields |= fields
            else:
                report.unchanged += 1
        # Sorted by id: two writers that lock the same rows in the same order cannot wait for each other.
        Item.objects.bulk_create(sorted(created, key=_item_id), ignore_conflicts=True)
        if updated:
            Item.objects.bulk_create(
                sorted(updated, key=_item_id),
                update_conflicts=True,
                unique_fields=["site", "item_id"],
                update_fields=[*sorted(changed_fields), "updated_at"],
            )
        report.created += len(created)
        report.updated += len(updated)
        if created or updated:
            announce_catalogue(site.slug)


def _apply(item: Item, change: Mapping[str, Any]) -> set[str]:
    """Set on ``item`` what differs, and return the names of those fields; titles and attributes are merged."""
    differing = set()
    for field, value in change.items():
        old = getattr(item, field)
        if field in ("titles", "attributes"):
            value = {**old, **value}
        if old != value:
            setattr(item, field, value)
            differing.add(field)
    return differing


def _item_id(item: Item) -> str:
    return item.item_id


def _deactivate_missing(site: Site, seen: set[str], report: FeedReport) -> None:
    active = Item.objects.filter(site=site, is_active=True)
    missing = [item_id for item_id in active.values_list("item_id", flat=True).iterator() if item_id not in seen]
    if not missing:
        return
    if report.rejected:
        report.warnings.append(f"{len(missing)} items are not in the feed; kept active, because rows were refused")
        return
    if len(missing) > MOST_DEACTIVATED * active.count():
        report.warnings.append(
            f"{len(missing)} items, most of the catalogue, are not in the feed; kept active, it may be cut short"
        )
        return
    for start in range(0, len(missing), BATCH):
        chunk = missing[start : start + BATCH]
        # update() passes by auto_now; without the time the change would stay unseen.
        report.deactivated += active.filter(item_id__in=chunk).update(is_active=False, updated_at=timezone.now())
    announce_catalogue(site.slug)
