"""Rows into the catalogue, a batch at a time: new items are made, changed ones written, unchanged ones left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from features.catalogue.site import announce_catalogue
from features.feed_files.report import FeedBroken, FeedReport, RawRow
from features.feeds.columns import check_id, check_price, column_meanings
from features.feeds.mends import Mends
from features.feeds.values import BadValue, Understanding, item_changes
from features.models import Item
from tracking.contract.mending.amounts import Separator
from tracking.models import Site

BATCH: Final = 500
MOST_DEACTIVATED: Final = 0.1
"""A complete feed that would deactivate more than this share of the active items waits for a person."""

_MERGED: Final = ("titles", "attributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How rows are read and written.

    Attributes
    ----------
    file_format : str
        Name of the format; empty to tell it from the content.
    mapping : mapping of str to str
        Column to field, as a person chose.
    decimal : "." or ",", optional
        Settles amounts with two readings.
    locale : str
        The language of a feed of translations.
    complete : bool
        The feed is the whole catalogue: active items that it does not name are deactivated at the end.
    most_deactivated : float
        Share of the active items; a complete feed that would deactivate more waits for a person.
    only_new : bool
        Items that are there already stay as they are.
    is_strict : bool
        The first bad value refuses its row, as programs expect; else values are mended or dropped, and counted.
    """

    file_format: str = ""
    mapping: Mapping[str, str] = dataclass_field(default_factory=dict)
    decimal: Separator | None = None
    locale: str = ""
    complete: bool = False
    most_deactivated: float = MOST_DEACTIVATED
    only_new: bool = False
    is_strict: bool = True


def upsert_items(site: Site, rows: Iterable[Mapping[str, Any]], *, only_new: bool = False) -> FeedReport:
    """Create or change items from rows that name at least ``item_id``; rows are numbered from 1 in the report.

    Partial: a row changes only the fields it names. Bad rows are named in the report, the others are written.
    Written in batches of ``BATCH``, each in a transaction of its own and announced once. With ``only_new``, items that
    are there already stay as they are.
    """
    numbered = (RawRow(number, dict(row)) for number, row in enumerate(rows, 1))
    return load_rows(site, numbered, options=LoadOptions(only_new=only_new))


def load_rows(
    site: Site, rows: Iterable[RawRow], *, report: FeedReport | None = None, options: LoadOptions | None = None
) -> FeedReport:
    """Create or change items from what a reader yields.

    Parameters
    ----------
    site : Site
    rows : iterable of RawRow
        Read as they are needed; at most ``BATCH`` are in memory.
    report : FeedReport, optional
        The report that the reader adds its own refusals to.
    options : LoadOptions, optional

    Raises
    ------
    FeedBroken
        From the reader; or the file has a price that was not understood, in which case nothing is written.
    """
    report = FeedReport() if report is None else report
    options = options or LoadOptions()
    understanding = Understanding(currency=site.currency, decimal=options.decimal, locale=options.locale)
    seen: set[str] = set()
    is_checked = options.is_strict
    try:
        for batch in _batches(rows):
            if not is_checked:
                _check_columns(report, options)
                is_checked = True
            changes = _changes(batch, understanding, report, is_strict=options.is_strict)
            if options.complete:
                seen.update(changes)
            _write(site, changes, report, only_new=options.only_new)
    finally:
        report.ignored_fields = _ignored(report, understanding, options)
    if options.complete:
        _deactivate_missing(site, seen, report, most=options.most_deactivated)
    return report


def deactivate(site: Site, item_ids: Sequence[str]) -> int:
    """Deactivate those of the items that are active; return how many there were."""
    deactivated = 0
    for start in range(0, len(item_ids), BATCH):
        active = Item.objects.filter(site=site, is_active=True, item_id__in=item_ids[start : start + BATCH])
        # update() passes by auto_now; without the time the change would stay unseen.
        deactivated += active.update(is_active=False, updated_at=timezone.now())
    announce_catalogue(site.slug)
    return deactivated


def _changes(
    batch: Iterable[RawRow], understanding: Understanding, report: FeedReport, *, is_strict: bool
) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return what the rows of a batch change, by item; of several rows of an item, a later one adds and wins."""
    changes: dict[str, tuple[int, dict[str, Any]]] = {}
    for line, values in batch:
        mends = None if is_strict else Mends(report, line)
        try:
            change = item_changes(values, understanding=understanding, mends=mends)
        except BadValue as error:
            item_id = str(values.get("item_id") or values.get("id") or "")[:128]
            report.refuse(line, field=error.field, value=error.value, reason=error.reason, item_id=item_id)
            continue
        _, earlier = changes.pop(change["item_id"], (line, {}))
        both = [name for name in _MERGED if name in earlier and name in change]
        merged: dict[str, Any] = {name: {**earlier[name], **change[name]} for name in both}
        changes[change["item_id"]] = (line, {**earlier, **change, **merged})
    return changes


def _check_columns(report: FeedReport, options: LoadOptions) -> None:
    columns = column_meanings(report, options.mapping)
    if not options.locale:
        check_price(columns)
    if report.columns:
        check_id(columns, report)


def _ignored(report: FeedReport, understanding: Understanding, options: LoadOptions) -> list[str]:
    """Return the names of columns that were not used, as the file spells them."""
    unused = {column.name for column in column_meanings(report, options.mapping) if not column.field}
    spelled = {key: column.name for key, column in report.columns.items()}
    return sorted(unused | {spelled.get(name, name) for name in understanding.ignored})


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
        if field in _MERGED:
            value = {**old, **value}
        if old != value:
            setattr(item, field, value)
            differing.add(field)
    return differing


def _item_id(item: Item) -> str:
    return item.item_id


def _deactivate_missing(site: Site, seen: set[str], report: FeedReport, *, most: float) -> None:
    """Deactivate what a whole catalogue does not name; too many of them wait in ``report.missing_ids``."""
    active = set(Item.objects.filter(site=site, is_active=True).values_list("item_id", flat=True).iterator())
    damaged = set(report.refused_ids)
    missing = sorted(active - seen - damaged)
    if not missing:
        return
    if not damaged <= active or report.rejected > len(report.refused_ids):
        report.warnings.append(
            f"{len(missing)} items are not in the feed; kept active, because refused rows may be theirs"
        )
        return
    if len(missing) > most * len(active):
        report.missing_ids = missing
        report.warnings.append(
            f"{len(missing):,} of {len(active):,} active items are not in the feed, more than {most * 100:.0f} %: it "
            "may be cut short. They stay active until a person approves: Admin → Feed runs, or --approve"
        )
        return
    report.deactivated += deactivate(site, missing)
