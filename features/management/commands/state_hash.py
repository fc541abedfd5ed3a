"""Print a digest of all states: equal for equal events, whichever log they came through."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from features.exceptions import FeatureError
from features.store import connections
from features.store.scan import state_hash


class Command(BaseCommand):
    help = "Print a digest of all states, to compare installations, logs and replays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", default="*", help="Only this site.")
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = state_hash(
                connections.client(),
                partitions=connections.partitions(),
                log_name=connections.log_name(),
                lateness_ms=settings.LATENESS_MS,
                site=options["site"],
            )
        except FeatureError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "digest": found.digest,
                        "sessions": found.sessions,
                        "profiles": found.profiles,
                        "item_counts": found.counts,
                    }
                )
            )
            return
        self.stdout.write(
            f"{found.digest}  {found.profiles} profiles, {found.sessions} sessions, {found.counts} item counts"
        )
