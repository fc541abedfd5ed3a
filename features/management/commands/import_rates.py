"""Load a table of exchange rates from a CSV file into a site."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from features.exchange.reading import BadTable, read_csv
from features.exchange.table import delete_rates, write_quotes
from features.money import MAX_RATE_AGE_DAYS
from tracking.management.sites import site_named


class Command(BaseCommand):
    """A row a rate (day, currency, rate), or a column a currency as the European Central Bank publishes them.

    The table is taken whole or not at all; days and pairs that are known get the new rate, all others stay.
    """

    help = " ".join((__doc__ or "").split())

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="FILE", help="CSV in UTF-8")
        parser.add_argument("--site", metavar="SLUG", help="this site (default: the only one)")
        parser.add_argument("--replace", action="store_true", help="forget the rates that were there before")

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        try:
            text = Path(options["path"]).read_text("utf-8-sig")
        except OSError as error:
            raise CommandError(f"FILE={options['path']!r} cannot be read: {error.strerror}; check the path") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"FILE={options['path']!r} is not UTF-8 text; save it as CSV (UTF-8)") from error
        try:
            table = read_csv(text, site_currency=site.currency, today=timezone.now().date())
            with transaction.atomic():
                if options["replace"]:
                    delete_rates(site)
                done = write_quotes(site, table.quotes)
        except BadTable as error:
            for fault in error.faults:
                self.stderr.write(str(fault))
            raise CommandError(
                f"{error.n_faults:,} value{'s' if error.n_faults > 1 else ''} cannot be taken; nothing was written"
            ) from error
        self.stdout.write(f"{site.slug}, which counts in {site.currency}: {done.summary()}.")
        if table.ignored:
            self.stdout.write(f"Columns that are no currency of today: {', '.join(table.ignored)}.")
        self.stdout.write(
            f"A rate holds for its day and the {MAX_RATE_AGE_DAYS} days after. Next: new orders are converted within "
            "seconds; `manage.py replay` converts those that were counted before."
        )
