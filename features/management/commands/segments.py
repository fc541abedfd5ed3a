"""Score all buyers by recency, frequency and monetary value now, in place of waiting for the next five minutes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.exceptions import StoreUnavailable
from features.tasks import run_segments
from tracking.models import Site


class Command(BaseCommand):
    """Recompute quintiles and segments of a site, as the periodic task does."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="slug of the site (default: every active site)")

    def handle(self, *args: Any, **options: Any) -> None:
        sites = Site.objects.filter(is_active=True)
        if options["site"]:
            sites = sites.filter(slug=options["site"])
            if not sites:
                known = ", ".join(Site.objects.values_list("slug", flat=True)) or "none"
                raise CommandError(f"--site {options['site']!r} is no active site; there are: {known}")
        for site in sites:
            try:
                run = run_segments(site)
            except StoreUnavailable as error:
                raise CommandError(f"{error}; check REDIS_URL") from error
            sizes = ", ".join(f"{name} {size:,}" for name, size in sorted(run.sizes.items(), key=lambda pair: -pair[1]))
            self.stdout.write(f"{site.slug}: {run.users:,} buyers in {run.seconds:.1f} s; {sizes or 'no segments yet'}")
        self.stdout.write("Next: Admin → Shoppers → RFM map.")
