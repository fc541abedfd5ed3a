"""``manage.py exploration``: what another share for new items would bring a placement, from what chance has shown."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from features.archive.writer import ArchiveFolder
from recommendations.core.chance import Chance
from recommendations.reports.by_chance import Said, Slots, at_share, read_slots
from recommendations.serving.rec_ids import InvalidRecId, signer
from recommendations.what_if.off_policy import Estimate
from tracking.management.sites import site_named

SHARES: Final = (0, 25, 50, 100, 200, 300, 500)
"""In thousandths. One far above that of the logged lists is estimated from few slots, and its interval says so."""

FEWEST: Final = 100


class Command(BaseCommand):
    help = "Estimate clicks a seen slot at other shares for new items, from lists in which chance had a part."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", required=True, help="Slug of the site.")
        parser.add_argument("--days", type=int, default=14, help="Of the archive, today included (default: 14).")

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        if options["days"] < 1:
            raise CommandError(f"--days={options['days']} is not a whole number above 0; 14 is usual")
        today = dt.datetime.now(dt.UTC).date()
        dates = [(today - dt.timedelta(days=number)).isoformat() for number in range(options["days"])]
        found = read_slots(ArchiveFolder(settings.ARCHIVE_URL), site=site.slug, dates=dates, said=said_of(site.slug))
        enough = {placement: slots for placement, slots in found.items() if len(slots) >= FEWEST}
        if not enough:
            raise CommandError(
                f"no placement of {site.slug} has {FEWEST} seen slots of lists in which chance had a part; give one a "
                "share for new items, and wait for visits"
            )
        console = Console()
        for placement, slots in sorted(enough.items()):
            console.print(_table(placement, slots))


def said_of(site: str) -> Said:
    """Return what reads the ids of a site's replies."""

    def said(rec_id: str) -> tuple[str, Chance] | None:
        try:
            read = signer().read(rec_id, site=site)
        except InvalidRecId:
            return None
        return (read.placement, Chance(*read.chance[: len(Chance._fields)])) if read.chance else None

    return said


def _table(placement: str, slots: Slots) -> Table:
    names = ("share for new items", "IPS", "SNIPS", "doubly robust", "as many own slots")
    logged = ", ".join(f"{permille / 10:g} %" for permille in sorted({chance.permille for chance in slots.chances}))
    table = Table(*names, title=f"{placement}: clicks a seen slot; {len(slots):,} seen with a share of {logged}")
    for permille in SHARES:
        found = at_share(slots, permille=permille)
        own = f"{found.snips.effective:,.0f}"
        table.add_row(f"{permille / 10:g} %", *map(_words, (found.ips, found.snips, found.doubly_robust)), own)
    return table


def _words(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
