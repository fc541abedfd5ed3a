"""Print the data quality of a site: what was mended and refused, what is unknown, and what to do about it."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import IO, Any, Final, cast

import msgspec
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from features.exceptions import StoreUnavailable
from features.quality.gathering import gather_report
from features.quality.report import Level, QualityReport
from tracking.management.sites import sites_named

COLOURS: Final = {Level.FAULT: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}
TABLES: Final = {
    "events": "Events", "mended": "Mended values", "refused": "Refused events", "orders": "Orders by currency",
    "clocks": "Clocks of the senders", "bots": "Programs", "warnings": "Warnings of whole requests",
    "silent_pages": "Pages without item events (one request in sixteen)",
}  # fmt: skip


class Command(BaseCommand):
    """The last 24 hours and 30 days, as on the admin's Data quality page; with --check, exit status 1 for a fault."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", action="append", metavar="SLUG", help="this site; repeat it (default: all)")
        parser.add_argument("--json", action="store_true", help="print one line of JSON a site")
        parser.add_argument("--check", action="store_true", help="end with status 1 where a site has a fault")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = 0
        for site in sites_named(options["site"]):
            try:
                report = gather_report(site, now_ms=time.time_ns() // 1_000_000)
            except StoreUnavailable as error:
                raise CommandError(f"{error}; check REDIS_URL and that Redis runs") from error
            faults += sum(finding.level is Level.FAULT for finding in report.findings)
            if options["json"]:
                self.stdout.write(json.dumps(msgspec.to_builtins(report)))
            else:
                _print(Console(file=cast(IO[str], self.stdout), highlight=False), report)
        if not options["json"]:
            self.stdout.write(
                "Next: the admin's Data quality page shows the same; Live events shows what comes in now."
            )
        if options["check"] and faults:
            raise CommandError(f"{faults} fault{'s' if faults > 1 else ''}; what to do is said above")


def _print(console: Console, report: QualityReport) -> None:
    console.print(f"[bold]{escape(report.site)}[/bold]")
    for finding in report.findings:
        console.print(f"[{COLOURS[finding.level]}]{finding.level}[/]: {escape(finding.title)}")
        console.print(f"  {escape(finding.detail)}\n  {escape(finding.remedy)}")
    if not report.findings:
        console.print("Nothing to do: what was sent can be used as it came.")
    for name, title in TABLES.items():
        rows = getattr(report, name)
        if not rows:
            continue
        table = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left")
        for column in ("what", "24 hours", "30 days"):
            table.add_column(column, justify="left" if column == "what" else "right")
        for row in rows:
            table.add_row(escape(" · ".join(row.name)), f"{row.day:,}", f"{row.month:,}")
        console.print(table)
    use = report.catalogue
    if use is not None:
        console.print(
            f"Feed against events, seven days: {use.n_seen:,} of {use.n_items:,} items met; "
            f"{use.known:,} events of known items, {use.unknown:,} of unknown ones."
        )
    if report.again.month:
        console.print(
            f"Orders reported more than once: {report.again.day:,} in 24 hours, {report.again.month:,} in 30 days."
        )
