"""``manage.py content``: read a site's texts and pictures now, where the periodic task would within five minutes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from recommendations.exceptions import EncoderRefused
from recommendations.management.progress import StepProgress
from recommendations.release.content import refresh_content
from tracking.management.sites import site_named


class Command(BaseCommand):
    help = "Make the vectors of a site's items from their texts, of those that changed, and find similar items."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", required=True, help="Slug of the site.")

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        console = Console()
        try:
            with StepProgress(console) as progress:
                made = refresh_content(site, progress=progress)
        except EncoderRefused as error:
            raise CommandError(str(error)) from error
        if made is None:
            console.print(f"{site.slug}: nothing changed since the last time; lists use the table that is there")
            return
        table = made.table
        console.print(
            f"{site.slug}: {len(table.unit_of_item):,} items, {made.encoded:,} products encoded by {table.encoder};"
            " web processes use them within ten seconds"
        )
