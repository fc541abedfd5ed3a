"""``manage.py drift``: whether a site's live version still fits what users do, and what to do if not."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from recommendations.monitoring.drift import Check, Verdict
from recommendations.monitoring.model_health import UNREADABLE, check_site, checks_of
from tracking.management.sites import site_named

COLOURS = {Verdict.FINE: "green", Verdict.WATCH: "yellow", Verdict.ACT: "red", Verdict.UNKNOWN: "dim"}


class Command(BaseCommand):
    help = "Compare the last day with what the live version was trained on; says what to do. Ends with 1 to act."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", required=True, help="Slug of the site.")

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        report = check_site(site)
        if report.model_version is None:
            raise CommandError(f"{site.slug} has no live version; train one with manage.py train --site {site.slug}")
        checks = checks_of(report)
        console = Console()
        table = Table("check", "value", "limit", "verdict", "next", title=f"{site.slug}: {report.model_version}")
        for check in checks:
            verdict = f"[{COLOURS[check.verdict]}]{check.verdict}[/]"
            table.add_row(check.name, shown(check), f"{check.limit:g}", verdict, check.advice)
        console.print(table)
        if len(checks) == 1:
            raise CommandError(UNREADABLE)
        acting = [check.name for check in checks if check.verdict is Verdict.ACT]
        if acting:
            raise CommandError(f"act on: {', '.join(acting)}")


def shown(check: Check) -> str:
    """Return the value as it is read best."""
    return "-" if check.value is None else f"{check.value:.3f}"
