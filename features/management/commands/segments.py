"""Score all buyers by recency, frequency and monetary value now, in place of waiting for the next five minutes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.exceptions import StoreUnavailable
from features.tasks import run_segments
from tracking.management.sites import sites_named


class Command(BaseCommand):
    """Recompute quintiles and segments of a site, as the periodic task does."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="slug of the site (default: every active site)")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [options["site"]] if options["site"] else None
        sites = [site for site in sites_named(chosen) if site.is_active]
        if chosen and not sites:
            raise CommandError(f"--site={options['site']!r} is not active; activate it in Admin → Sites")
        for site in sites:
            try:
                run = run_segments(site)
            except StoreUnavailable as error:
                raise CommandError(f"{error}; check REDIS_URL") from error
            sizes = ", ".join(f"{name} {size:,}" for name, size in sorted(run.sizes.items(), key=lambda pair: -pair[1]))
            self.stdout.write(f"{site.slug}: {run.users:,} buyers in {run.seconds:.1f} s; {sizes or 'no segments yet'}")
        self.stdout.write("Next: Admin → Shoppers → RFM map.")
