"""Load a feed and keep what became of it as a ``FeedRun``: for uploads, commands and addresses alike."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, Final
from urllib.parse import urlsplit

import msgspec
from django.utils import timezone

from features.feed_files.readers import read_feed
from features.feed_files.report import FeedBroken, FeedReport
from features.feeds.columns import column_meanings
from features.feeds.download import DownloadFailed, download
from features.feeds.writer import LoadOptions, deactivate, load_rows
from features.models import Feed, FeedRun
from tracking.contract.mending.amounts import Separator
from tracking.models import Site

KEPT_RUNS: Final = 50
"""Runs kept a site; older ones are deleted."""

_IN_MEMORY_BYTES: Final = 4 << 20


def options_of(feed: Feed) -> LoadOptions:
    """Return how a feed says that its files are read."""
    return LoadOptions(
        file_format=feed.file_format,
        mapping=feed.mapping,
        decimal=separator_of(feed.decimal),
        locale=feed.locale,
        complete=feed.is_complete,
        most_deactivated=feed.most_deactivated_percent / 100,
        is_strict=False,
    )


def separator_of(written: str) -> Separator | None:
    """Return a decimal separator; None for any other text."""
    return "." if written == "." else "," if written == "," else None


def load_file(
    site: Site, handle: BinaryIO, *, source: str, options: LoadOptions | None = None, feed: Feed | None = None
) -> tuple[FeedRun, FeedReport]:
    """Load the items of an open file; never raises for what is wrong with the file: the run says it."""
    run = FeedRun.objects.create(site=site, feed=feed, source=source[:300])
    return run, _fill(run, handle, options or (options_of(feed) if feed else LoadOptions(is_strict=False)))


def load_address(feed: Feed, *, options: LoadOptions | None = None) -> FeedRun:
    """Fetch a feed's address and load it; never raises for what the address answers."""
    run = FeedRun.objects.create(
        site=feed.site, feed=feed if feed.pk else None, source=(urlsplit(feed.url).hostname or feed.name)[:300]
    )
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as handle:
        try:
            download(feed.url, handle)  # type: ignore[arg-type]  # it is a binary file in all but its name
        except DownloadFailed as error:
            run.error = str(error)
            _finish(run, FeedReport())
            return run
        handle.seek(0)
        _fill(run, handle, options or options_of(feed))  # type: ignore[arg-type]
    return run


class NotWaiting(Exception):
    """A run has nothing to approve; the message says why."""


def approve(run: FeedRun) -> int:
    """Deactivate the items that a whole catalogue did not name; return how many were active still.

    Raises
    ------
    NotWaiting
        It was approved already, or a newer load of the same feed has replaced it.
    """
    if run.status != FeedRun.Status.WAITING:
        raise NotWaiting("This load does not wait for anybody: it was approved, or replaced by a newer one.")
    run.deactivated_items += deactivate(run.site, run.missing_ids)
    run.missing_ids = []
    run.status = FeedRun.Status.DONE
    run.save()
    return run.deactivated_items


def _fill(run: FeedRun, handle: BinaryIO, options: LoadOptions) -> FeedReport:
    report = FeedReport()
    try:
        rows = read_feed(handle, report, file_format=options.file_format, mapping=options.mapping)
        load_rows(run.site, rows, report=report, options=options)
        run.error = _nothing_taken(report)
    except FeedBroken as error:
        run.error = str(error)
    except BaseException as error:  # whatever ends the load, the run must not say "running" for ever
        run.error = f"stopped by {type(error).__name__}"
        _finish(run, report, options)
        raise
    _finish(run, report, options)
    return report


def _nothing_taken(report: FeedReport) -> str:
    """Return why a file of which no row was taken failed; an empty text where one was."""
    if report.accepted:
        return ""
    if not report.rejected:
        return "holds no items; is it whole?"
    if not report.bad_rows:
        return f"none of {report.rejected:,} rows was taken"
    first = min(report.bad_rows, key=lambda row: row.line)
    said = f"{first.field}={first.value!r} {first.reason}" if first.field else first.reason
    return f"none of {report.rejected:,} rows was taken; line {first.line}: {said}"


def _finish(run: FeedRun, report: FeedReport, options: LoadOptions | None = None) -> None:
    is_waiting = bool(report.missing_ids) and not run.error
    run.status = FeedRun.Status.FAILED if run.error else FeedRun.Status.WAITING if is_waiting else FeedRun.Status.DONE
    run.missing_ids = report.missing_ids
    run.created_items, run.updated_items, run.unchanged_items = report.created, report.updated, report.unchanged
    run.deactivated_items, run.rejected_rows = report.deactivated, report.rejected
    run.report = {
        "bad_rows": msgspec.to_builtins(sorted(report.bad_rows, key=lambda row: row.line)),
        "ignored_fields": report.ignored_fields,
        "warnings": report.warnings,
        "notes": report.notes,
        "mended": msgspec.to_builtins(sorted(report.mended.values(), key=lambda one: -one.count)),
        "columns": [column._asdict() for column in column_meanings(report, options.mapping if options else {})],
    }
    run.finished_at = timezone.now()
    run.save()
    if not run.error:
        _replace_older(run)
    kept = FeedRun.objects.filter(site=run.site).values_list("pk", flat=True)[:KEPT_RUNS]
    FeedRun.objects.filter(site=run.site).exclude(pk__in=list(kept)).delete()


def _replace_older(run: FeedRun) -> None:
    """Let older loads of the same feed wait no longer: what they missed is not what is missing now."""
    older = FeedRun.objects.filter(site=run.site, feed=run.feed, status=FeedRun.Status.WAITING).exclude(pk=run.pk)
    if run.feed is None:
        older = older.filter(source=run.source)
    older.update(status=FeedRun.Status.DONE, missing_ids=[])
