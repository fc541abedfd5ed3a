"""Load a shop's past events, and the items they name, through the same contract as live traffic."""

from __future__ import annotations

import hashlib
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from features.feeds import upsert_items
from features.models import Item
from recsite.importing.base import InvalidSource, Source
from recsite.importing.checkpoint import Checkpoint, InvalidCheckpoint, fingerprint_of
from recsite.importing.formats import FORMATS, format_help, open_source
from recsite.importing.loading import Importer, ImportFailed
from recsite.importing.progress import progress_bar
from tracking.access.sites import ensure_default_site
from tracking.log import InvalidLogUrl, LogUnavailable, open_log
from tracking.management.sites import site_named
from tracking.models import Site

HELP = f"""Load past events, and the items they name, into a site.

{format_help()}

Events keep their own times and get the same ids in every import. An interrupted import resumes where it was when the
command is run again; a finished one is not repeated. Rows that cannot be used go to a report, the rest is loaded."""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="The file, or the folder that holds it.")
        parser.add_argument("--format", choices=list(FORMATS), help="Told from name and content when left out.")
        parser.add_argument("--site", help="Slug of the site; needed when there are several.")
        parser.add_argument(
            "--milliseconds", action="store_true", help="retailrocket: times are in milliseconds, not in seconds."
        )
        parser.add_argument(
            "--restart", action="store_true", help="Forget the progress of an earlier import of this file."
        )
        parser.add_argument("--no-items", action="store_true", help="Load events only, no items.")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console()
        site = _site(options["site"])
        try:
            source = open_source(
                options["path"], site=site.slug, file_format=options["format"], milliseconds=options["milliseconds"]
            )
            self._load(source, site, console, restart=options["restart"], with_items=not options["no_items"])
        except (InvalidSource, InvalidCheckpoint, InvalidLogUrl, ImportFailed) as error:
            raise CommandError(str(error)) from error
        except LogUnavailable as error:
            raise CommandError(f"the event log is unavailable: {error}; run the command again to resume") from error

    def _load(self, source: Source, site: Site, console: Console, *, restart: bool, with_items: bool) -> None:
        started = time.monotonic()
        checkpoint, report_path = _files_of(source, site)
        if restart:
            checkpoint.forget()
            report_path.unlink(missing_ok=True)
        importer = Importer(
            source,
            open_log(settings.EVENT_LOG_URL),
            checkpoint=checkpoint,
            report_path=report_path,
            on_progress=lambda progress: None,
        )
        if importer.progress.done:
            console.print(f"{source.path} is imported already; --restart does it again.")
            return
        if importer.progress.units:
            console.print(f"resumed after {importer.progress.units:,} units")
        if with_items and not importer.progress.items_done:
            self._load_items(source, site, console)
            importer.progress.items_done = True
            checkpoint.save(importer.progress)
        title = f"{source.name} → {site.slug}"
        with progress_bar(title, total=source.total(), console=console) as advance:
            importer.on_progress = lambda progress: advance(progress.units)
            progress = importer.run()
        lines = [
            f"{progress.rows:,} rows: {progress.events:,} events in {progress.records:,} records appended, "
            f"{progress.refused:,} rows left out, in {time.monotonic() - started:.1f} s"
        ]
        if progress.refused:
            lines.append(f"what was left out and why: {report_path}")
        days = int((time.time() * 1_000 - progress.oldest_ms) // 86_400_000)
        if progress.oldest_ms and days > settings.ARCHIVE_RETENTION_DAYS:
            lines.append(
                f"[yellow]the oldest event is {days:,} days old and the archive forgets after "
                f"RECSITE_ARCHIVE_RETENTION_DAYS={settings.ARCHIVE_RETENTION_DAYS}: set it to {days + 400} or more in "
                "every process within the hour, or train now and lose them[/yellow]"
            )
        lines.append(
            f"next: wait for the stream worker (manage.py stream_lag), then manage.py train --site {site.slug}"
        )
        for line in lines:
            console.print(line, highlight=False, soft_wrap=True)

    def _load_items(self, source: Source, site: Site, console: Console) -> None:
        if source.currency and source.currency != site.currency and not Item.objects.filter(site=site).exists():
            site.currency = source.currency
            site.save(update_fields=["currency"])
        with console.status("items"):
            report = upsert_items(site, source.items(), only_new=True)
        console.print(f"items: {report.summary()}")


def _site(slug: str | None) -> Site:
    """Return the site to import for; the first import of an installation makes one."""
    return site_named(slug) if slug or Site.objects.exists() else ensure_default_site()[0]


def _files_of(source: Source, site: Site) -> tuple[Checkpoint, Path]:
    """Return where progress and refusals of this import are kept; the log's address is part of the name."""
    path = source.path.resolve()
    identity = f"{path}\x1f{site.slug}\x1f{source.name}\x1f{settings.EVENT_LOG_URL}"
    name = f"{site.slug}-{path.stem}-{hashlib.blake2b(identity.encode(), digest_size=6).hexdigest()}"
    folder = Path(settings.DATA_DIR) / "imports"
    return Checkpoint(folder / f"{name}.json", fingerprint_of(path)), folder / f"{name}.refused.tsv"
