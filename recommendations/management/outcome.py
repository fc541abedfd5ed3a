"""What the training commands say on a terminal: what was measured, what the gate said."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from recommendations.models import ModelVersion
from recommendations.training.report import TABLE_COLUMNS, part_rows, table_rows

TITLES: Mapping[str, str] = {
    "new_hr@20": "new\nHR@20",
    "coverage@20": "cover-\nage",
    "popularity_share@20": "popu-\nlarity",
    "repeat_share@20": "re-\npeats",
}


def print_measured(console: Console, metrics: Mapping[str, Mapping[str, float]]) -> None:
    """Print what was measured on the held-out time: all points, then by length of the session and by segment."""
    if not metrics:
        return
    table = _table("Held-out time, next item over the full catalogue")
    for column in TABLE_COLUMNS:
        table.add_column(TITLES.get(column) or column.upper().replace("@", "\n@"), justify="right")
    for row in table_rows(metrics):
        table.add_row(*row)
    console.print(table)
    names, parts = part_rows(metrics)
    if parts:
        table = _table("HR@20 by items in the session so far, and by segment of the shopper", "part")
        for name in ("points", *names):
            table.add_column(name, justify="right")
        for row in parts:
            table.add_row(*row)
        console.print(table)


def print_outcome(console: Console, version: ModelVersion, *, took_s: float) -> None:
    """Print the gate's report and what the version is now; raise ``CommandError`` for one that was refused."""
    for check in version.gate_report:
        console.print(f"{'✓' if check['passed'] else '✗'} {check['name']}: {check['reason']}", highlight=False)
    version.refresh_from_db()
    console.print(f"{version.version}: {version.get_status_display()}, after {took_s:.0f} s", highlight=False)
    if version.status == ModelVersion.Status.REFUSED:
        raise CommandError(f"the gate refused {version.version}; what was live still is")


def _table(title: str, first: str = "predictor") -> Table:
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column(first, no_wrap=True)
    return table
