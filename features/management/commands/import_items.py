"""Load items from a file or an address into a site's catalogue."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.feed_files.readers import FORMATS
from features.feeds.runs import load_address, load_file
from features.models import Feed, FeedRun
from tracking.management.sites import site_named
from tracking.models import Site

SHOWN: int = 20


class Command(BaseCommand):
    help = (
        f"Load items from a file or a web address: {', '.join(one.words for one in FORMATS)}, packed with gzip or not. "
        "Rows change only the fields they name; refused rows are listed with line, field and reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="PATH_OR_URL")
        parser.add_argument("--site", required=True, help="Slug of the site.")
        parser.add_argument(
            "--format",
            choices=[one.name for one in FORMATS],
            default="",
            help="Told from name and content when left out.",
        )
        parser.add_argument(
            "--complete", action="store_true", help="The whole catalogue: items that are not in it are deactivated."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        run = self._run(
            site_named(options["site"]), options["source"], file_format=options["format"], complete=options["complete"]
        )
        self._tell(run)

    def _run(self, site: Site, source: str, *, file_format: str, complete: bool) -> FeedRun:
        if source.startswith(("http://", "https://")):
            # Not saved: this address is fetched once.
            return load_address(Feed(site=site, name=source, url=source, file_format=file_format, is_complete=complete))
        path = Path(source)
        try:
            with path.open("rb") as handle:
                run, _ = load_file(site, handle, source=path.name, file_format=file_format, complete=complete)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        return run

    def _tell(self, run: FeedRun) -> None:
        for row in run.report.get("bad_rows", [])[:SHOWN]:
            self.stderr.write(f"line {row['line']}: {row['field']}={row['value']!r} {row['reason']}")
        if run.rejected_rows > SHOWN:
            self.stderr.write(f"… and {run.rejected_rows - SHOWN} more; the admin lists them under Feed runs")
        for warning in run.report.get("warnings", []):
            self.stderr.write(warning)
        self.stdout.write(
            f"{run.created_items} created, {run.updated_items} changed, {run.unchanged_items} unchanged, "
            f"{run.deactivated_items} deactivated, {run.rejected_rows} refused"
        )
        if run.error:
            raise CommandError(run.error)
