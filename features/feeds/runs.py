"""Load a feed and keep what became of it as a ``FeedRun``: for uploads, commands and addresses alike."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, Final
from urllib.parse import urlsplit

import msgspec
from django.utils import timezone

from features.feed_files.readers import read_feed
from features.feed_files.report import FeedBroken, FeedReport
from features.feeds.download import DownloadFailed, download
from features.feeds.writer import load_rows
from features.models import Feed, FeedRun
from tracking.models import Site

KEPT_RUNS: Final = 50
"""Runs kept a site; older ones are deleted."""

_IN_MEMORY_BYTES: Final = 4 << 20


def load_file(
    site: Site,
    handle: BinaryIO,
    *,
    source: str,
    file_format: str = "",
    complete: bool = False,
    feed: Feed | None = None,
) -> tuple[FeedRun, FeedReport]:
    """Load the items of an open file; never raises for what is wrong with the file: the run says it."""
    run = FeedRun.objects.create(site=site, feed=feed, source=source[:300])
    return run, _fill(run, handle, file_format=file_format, complete=complete)


def load_address(feed: Feed) -> FeedRun:
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
        name = urlsplit(feed.url).path
        _fill(run, handle, name=name, file_format=feed.file_format, complete=feed.is_complete)  # type: ignore[arg-type]
    return run


def _fill(run: FeedRun, handle: BinaryIO, *, file_format: str, complete: bool, name: str | None = None) -> FeedReport:
    report = FeedReport()
    try:
        rows = read_feed(handle, report, file_format=file_format, name=run.source if name is None else name)
        load_rows(run.site, rows, report=report, complete=complete)
    except FeedBroken as error:
        run.error = str(error)
    except BaseException as error:  # whatever ends the load, the run must not say "running" for ever
        run.error = f"stopped by {type(error).__name__}"
        _finish(run, report)
        raise
    _finish(run, report)
    return report


def _finish(run: FeedRun, report: FeedReport) -> None:
    run.status = FeedRun.Status.FAILED if run.error else FeedRun.Status.DONE
    run.created_items, run.updated_items, run.unchanged_items = report.created, report.updated, report.unchanged
    run.deactivated_items, run.rejected_rows = report.deactivated, report.rejected
    run.report = {
        "bad_rows": msgspec.to_builtins(sorted(report.bad_rows, key=lambda row: row.line)),
        "ignored_fields": report.ignored_fields,
        "warnings": report.warnings,
    }
    run.finished_at = timezone.now()
    run.save()
    kept = FeedRun.objects.filter(site=run.site).values_list("pk", flat=True)[:KEPT_RUNS]
    FeedRun.objects.filter(site=run.site).exclude(pk__in=list(kept)).delete()
