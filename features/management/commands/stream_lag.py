"""Print how many records the features and the archive are behind the event log."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.stream.lag import read_lag
from tracking.exceptions import LogUnavailable


class Command(BaseCommand):
    """Show the lag of each partition; the position of a healthy worker is at most a second behind."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the sums as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lags = read_lag()
        except LogUnavailable as error:
            raise CommandError(f"{error}; check EVENT_LOG_URL and that the log runs") from error
        sums = {
            "records": sum(lag.records for lag in lags),
            "archive_records": sum(lag.archive_records for lag in lags),
        }
        if options["json"]:
            self.stdout.write(json.dumps(sums))
            return
        for lag in lags:
            self.stdout.write(f"partition {lag.partition}: {lag.records} to apply, {lag.archive_records} to archive")
            if lag.problem:
                self.stdout.write(f"  waits: {lag.problem}")
        self.stdout.write(f"{sums['records']} to apply, {sums['archive_records']} to archive.")
        if sums["records"]:
            self.stdout.write("Next: `celery -A recsite inspect stream` shows which worker has which partition.")
